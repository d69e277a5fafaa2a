import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { auditStore } from '../../src/audit/store.js'
import type { VerifiedAudit } from '../../src/audit/verify.js'
import { newProfiles } from '../../src/cli/profile.js'
import type { Agent } from '../../src/client/index.js'
import { joinRegistry } from '../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { reasonOf } from '../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

/** Writes audit rows, and waits until they are linked. */
async function writeLinkedRows(rows: number): Promise<void> {
  for (let i = 0; i < rows; i++) await reasonOf(acme.mutate('agents.suspend', { agentId: 'agt_AAAAAAAAAAAAAAAAAAAAAA' }))
  const audit = auditStore(registry.storage)
  await expect
    .poll(async () => {
      registry.clock.advance(11)
      const { items } = await audit.rows.find('organisation', { where: { orgIds: acme.orgId }, order: 'down', limit: 1 })
      const [newest] = items
      const last = newest && (await audit.links.find('writer', { where: { writer: newest.writer }, order: 'down', limit: 1 })).items[0]
      return newest && last && last.to >= newest.number
    })
    .toBe(true)
}
async function verifyAll(agent: Pick<Agent, 'query'>): Promise<VerifiedAudit & { readonly calls: number }> {
  let total = { ...(await agent.query<VerifiedAudit>('audit.verify')), calls: 1 }
  while (total.cursor !== undefined) {
    const { cursor, ...part } = await agent.query<VerifiedAudit>('audit.verify', { cursor: total.cursor })
    total = {
      links: total.links + part.links,
      rows: total.rows + part.rows,
      broken: [...total.broken, ...part.broken],
      calls: total.calls + 1,
      ...(cursor !== undefined && { cursor }),
    }
  }
  return total
}

test('audit.verify checks all chains page by page, and names a link that does not match its rows', async () => {
  // Several links, so that the check takes more than one call
  for (let i = 0; i < 6; i++) await writeLinkedRows(2)
  const admin = registry.as(acme)
  const intact = await verifyAll(admin)
  expect(intact.broken).toEqual([])
  expect(intact.rows).toBeGreaterThanOrEqual(12)
  expect(intact.calls).toBeGreaterThan(1)

  const audit = auditStore(registry.storage)
  const { items } = await audit.rows.find('organisation', { where: { orgIds: acme.orgId }, order: 'down', limit: 20 })
  const row = items.find(({ action }) => action === 'agents.suspend')
  await audit.rows.change(row?.id ?? '', {}, { reason: 'forbidden' })
  const { broken } = await verifyAll(admin)
  expect(broken).toMatchObject([{ writer: row?.writer }])
  await audit.rows.change(row?.id ?? '', {}, { reason: row?.reason })
  expect((await verifyAll(admin)).broken).toEqual([])
})

test('a row that was added for a fully linked writer is detected', async () => {
  const audit = auditStore(registry.storage)
  const { items } = await audit.rows.find('organisation', { where: { orgIds: acme.orgId }, order: 'down', limit: 1 })
  const [row] = items
  if (row === undefined) throw new Error('the audit is empty')
  await audit.writers.insert({ id: 'gone', lastSeen: 1 })
  await audit.rows.insert({ ...row, id: 'forged', writer: 'gone', number: 0 })
  expect((await verifyAll(registry.as(acme))).broken).toEqual([{ writer: 'gone', link: 0 }])
  await audit.rows.take('forged', {})
})

test('members and agents may not verify the audit, and a foreign cursor is refused', async () => {
  const admin = registry.as(acme)
  const { code } = await admin.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const member = await registry.join(code, 'a member')
  expect(await reasonOf(member.query('audit.verify'))).toBe('forbidden')
  const agent = await registry.agent({ registeredBy: { ...acme, ...admin } })
  expect(await reasonOf(agent.query('audit.verify'))).toBe('insufficient_scope')
  for (const cursor of ['x', 'unlinked.1', 'unlinked.-1.0.w', 'ended.1.0.w', 'unlinked.1.1e400.w'])
    expect(await reasonOf(admin.query('audit.verify', { cursor }))).toBe('bad_cursor')
})

test('credence audit verify checks all pages, and exits with code 1 on a forged row', async () => {
  // The CLI runs in a process of its own, by the clock of the machine
  await using running = await startRegistry({ clock: runningClock() })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const acme = await running.organisation('Acme')
  const { orgId } = acme
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer: running.issuer, code, name: 'at a command line', signer })
  newProfiles(home).write('default', { registry: running.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const verify = () => promisify(execFile)(process.execPath, ['dist/cli/main.js', 'audit', 'verify', '--home', home, '--json'])
  expect(JSON.parse((await verify()).stdout)).toMatchObject({ verified: true, broken: [] })
  const audit = auditStore(running.storage)
  await audit.writers.insert({ id: 'gone', lastSeen: 1 })
  const { items } = await audit.rows.find('organisation', { where: { orgIds: orgId }, limit: 1 })
  const [row] = items
  if (row === undefined) throw new Error('the audit is empty')
  await audit.rows.insert({ ...row, id: 'forged', writer: 'gone', number: 0 })
  await expect(verify()).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('"verified":false') })
  await rm(home, { recursive: true })
})
