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

/** Many rows, and a moment that is long enough for each of them to be linked. */
async function linked(rows: number): Promise<void> {
  for (let i = 0; i < rows; i++) await reasonOf(acme.mutate('agents.suspend', { agentId: 'agt_AAAAAAAAAAAAAAAAAAAAAA' }))
  const audit = auditStore(registry.storage)
  await expect
    .poll(async () => {
      registry.clock.advance(11)
      const { items } = await audit.rows.find('organisation', { where: { orgs: acme.orgId }, order: 'down', limit: 1 })
      const [newest] = items
      const last = newest && (await audit.links.find('writer', { where: { writer: newest.writer }, order: 'down', limit: 1 })).items[0]
      return newest && last && last.to >= newest.n
    })
    .toBe(true)
}
async function verified(by: Pick<Agent, 'query'>): Promise<VerifiedAudit & { readonly calls: number }> {
  let whole = { ...(await by.query<VerifiedAudit>('audit.verify')), calls: 1 }
  while (whole.cursor !== undefined) {
    const { cursor, ...part } = await by.query<VerifiedAudit>('audit.verify', { cursor: whole.cursor })
    whole = {
      links: whole.links + part.links,
      rows: whole.rows + part.rows,
      broken: [...whole.broken, ...part.broken],
      calls: whole.calls + 1,
      ...(cursor !== undefined && { cursor }),
    }
  }
  return whole
}

test('an administrator sees that every row fits its chain, stretch by stretch, and which link does not', async () => {
  // Links of their own, so that it takes more than one call
  for (let i = 0; i < 6; i++) await linked(2)
  const admin = registry.as(acme)
  const whole = await verified(admin)
  expect(whole.broken).toEqual([])
  expect(whole.rows).toBeGreaterThanOrEqual(12)
  expect(whole.calls).toBeGreaterThan(1)

  const audit = auditStore(registry.storage)
  const { items } = await audit.rows.find('organisation', { where: { orgs: acme.orgId }, order: 'down', limit: 20 })
  const row = items.find(({ action }) => action === 'agents.suspend')
  await audit.rows.change(row?.id ?? '', {}, { reason: 'forbidden' })
  const { broken } = await verified(admin)
  expect(broken).toMatchObject([{ writer: row?.writer }])
  await audit.rows.change(row?.id ?? '', {}, { reason: row?.reason })
  expect((await verified(admin)).broken).toEqual([])
})

test('rows that were added for a writer that is gone are seen', async () => {
  const audit = auditStore(registry.storage)
  const { items } = await audit.rows.find('organisation', { where: { orgs: acme.orgId }, order: 'down', limit: 1 })
  const [row] = items
  if (row === undefined) throw new Error('there are rows')
  await audit.writers.insert({ id: 'gone', at: 1 })
  await audit.rows.insert({ ...row, id: 'forged', writer: 'gone', n: 0 })
  expect((await verified(registry.as(acme))).broken).toEqual([{ writer: 'gone', link: 0 }])
  await audit.rows.take('forged', {})
})

test('nobody else verifies, and a cursor of something else is refused', async () => {
  const admin = registry.as(acme)
  const { code } = await admin.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const member = await registry.join(code, 'a member')
  expect(await reasonOf(member.query('audit.verify'))).not.toBe('done')
  const agent = await registry.agent({ of: { ...acme, ...admin } })
  expect(await reasonOf(agent.query('audit.verify'))).not.toBe('done')
  for (const cursor of ['x', 'open.1', 'open.-1.0.w', 'ended.1.0.w', 'open.1.1e400.w'])
    expect(await reasonOf(admin.query('audit.verify', { cursor }))).toBe('bad_cursor')
})

test('credence audit verify walks the whole of it', async () => {
  // Another process has the machine's clock
  await using running = await startRegistry({ clock: runningClock() })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const { orgId } = await running.organisation('Acme')
  const { code } = await running.operator.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer: running.issuer, code, name: 'at a command line', signer })
  newProfiles(home).write('default', { registry: running.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const verify = () => promisify(execFile)(process.execPath, ['dist/cli/main.js', 'audit', 'verify', '--home', home, '--json'])
  expect(JSON.parse((await verify()).stdout)).toMatchObject({ verified: true, broken: [] })
  const audit = auditStore(running.storage)
  await audit.writers.insert({ id: 'gone', at: 1 })
  const { items } = await audit.rows.find('organisation', { where: { orgs: orgId }, limit: 1 })
  const [row] = items
  if (row === undefined) throw new Error('there are rows')
  await audit.rows.insert({ ...row, id: 'forged', writer: 'gone', n: 0 })
  await expect(verify()).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('"verified":false') })
  await rm(home, { recursive: true })
})
