import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lastLink, linkRows } from '../../src/audit/chain.js'
import { auditStore } from '../../src/audit/store.js'
import type { VerifiedAudit } from '../../src/audit/verify.js'
import { newProfiles } from '../../src/cli/profile.js'
import type { Agent } from '../../src/client/index.js'
import { joinRegistry } from '../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../src/credentials/jose/sign.js'
import type { Handle } from '../../src/protocol/handles.js'
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
      removed: total.removed + part.removed,
      anchors: total.anchors + part.anchors,
      broken: [...total.broken, ...part.broken],
      brokenAnchors: [...total.brokenAnchors, ...part.brokenAnchors],
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

describe('anchors in the trust log', () => {
  const audit = () => auditStore(registry.storage)
  /** Writes rows and waits until an anchor covers them. Returns the writer of the newest row. */
  async function writeAnchoredRows(): Promise<string> {
    await writeLinkedRows(4)
    await expect
      .poll(async () => {
        registry.clock.advance(20)
        return (await audit().links.find('unanchored', { where: { isUnanchored: true }, limit: 1 })).items.length
      })
      .toBe(0)
    const { items } = await audit().rows.find('organisation', { where: { orgIds: acme.orgId }, order: 'down', limit: 1 })
    return items[0]?.writer ?? ''
  }

  test('a chain that was linked again after a row was changed no longer matches its anchor', async () => {
    const writer = await writeAnchoredRows()
    const before = await verifyAll(registry.as(acme))
    expect(before.anchors).toBeGreaterThan(0)
    expect(before.brokenAnchors).toEqual([])
    const last = await lastLink(audit(), writer)
    const [row] = (await audit().rows.find('writer', { where: { writer }, order: 'down', limit: 20 })).items.filter(
      ({ number }) => number <= (last?.to ?? 0),
    )
    await audit().links.take(last?.id ?? '', {})
    await audit().rows.change(row?.id ?? '', {}, { action: 'agents.revoke' })
    await linkRows(audit(), writer, (last?.to ?? 0) + 1)
    const after = await verifyAll(registry.as(acme))
    expect(after.broken.filter((one) => one.writer === writer)).toEqual([])
    expect(after.brokenAnchors).toHaveLength(1)
    // Restored, so that the other tests find an intact audit
    const again = await lastLink(audit(), writer)
    await audit().links.take(again?.id ?? '', {})
    await audit().rows.change(row?.id ?? '', {}, { action: row?.action })
    await linkRows(audit(), writer, (last?.to ?? 0) + 1)
    expect((await verifyAll(registry.as(acme))).brokenAnchors).toEqual([])
  })

  test('a chain that was cut at its end, and an anchor that was removed or changed, are detected', async () => {
    const writer = await writeAnchoredRows()
    const last = await lastLink(audit(), writer)
    if (last === undefined) throw new Error('the writer has a link')
    await audit().links.take(last.id, {})
    expect((await verifyAll(registry.as(acme))).brokenAnchors).toHaveLength(1)
    await audit().links.insert(last)
    const [anchor] = (
      await audit().anchors.find('number', { where: { epoch: registry.servers[0]?.trustLog.epoch ?? '' }, order: 'down', limit: 1 })
    ).items
    if (anchor === undefined) throw new Error('there is an anchor')
    await audit().anchors.take(anchor.id, {})
    expect((await verifyAll(registry.as(acme))).brokenAnchors).toEqual([anchor.number])
    await audit().anchors.insert({ ...anchor, heads: anchor.heads.map((head) => ({ ...head, link: 0 })) })
    expect((await verifyAll(registry.as(acme))).brokenAnchors).toEqual([anchor.number])
    await audit().anchors.take(anchor.id, {})
    await audit().anchors.insert(anchor)
    expect((await verifyAll(registry.as(acme))).brokenAnchors).toEqual([])
  })

  test('a writer that was removed with its rows, and a list of ended handles that was changed, are detected', async () => {
    const { taskId } = await acme.mutate<{ taskId: string }>('tasks.create', { description: 'x' })
    await acme.mutate('tasks.end', { taskId })
    const writer = await writeAnchoredRows()
    const stored = await audit().writers.take(writer, {})
    expect((await verifyAll(registry.as(acme))).brokenAnchors.length).toBeGreaterThan(0)
    if (stored) await audit().writers.insert(stored)
    const { items } = await audit().rows.find('organisation', { where: { orgIds: acme.orgId }, order: 'down', limit: 100 })
    const ended = items.find(({ action }) => action === 'tasks.end')
    const list = await audit().endedHandles.take(ended?.id ?? '', {})
    expect((await verifyAll(registry.as(acme))).broken).toMatchObject([{ writer: ended?.writer }])
    if (list) await audit().endedHandles.insert({ ...list, handles: ['tsk:AAAAAAAAAAAAAAAAAAAAAA' as Handle] })
    expect((await verifyAll(registry.as(acme))).broken).toMatchObject([{ writer: ended?.writer }])
    if (list) await audit().endedHandles.change(list.id, {}, { handles: list.handles })
    expect((await verifyAll(registry.as(acme))).broken).toEqual([])
  })

  test('nothing is anchored while no rows are written', async () => {
    await writeAnchoredRows()
    const count = async () =>
      (await audit().anchors.find('number', { where: { epoch: registry.servers[0]?.trustLog.epoch ?? '' }, order: 'down', limit: 1 }))
        .items[0]?.number
    const before = await count()
    for (let i = 0; i < 20; i++) {
      registry.clock.advance(20)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await count()).toBe(before)
  })
})
