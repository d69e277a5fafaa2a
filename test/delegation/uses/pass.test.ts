// One pass over the audit log: each use is counted once, whatever crashes and however many passes run at once.
import { expect, test } from 'vitest'
import { newAudit } from '../../../src/audit/audit-log.js'
import { type CountDeps, type CountedToken, countUses } from '../../../src/delegation/uses/count.js'
import { AGENT_PROFILES, USE_RECORDS, usesStore } from '../../../src/delegation/uses/store.js'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import { Audience, Jkt, newId, type TokenId } from '../../../src/protocol/ids.js'
import { eventually } from '../../eventually.js'
import { openLogs } from '../../trust-log/open-logs.js'

const AUDIENCE = Audience.parse('https://api.example')
const JKT = Jkt.parse('k'.repeat(43))

/** A registry's audit log and use records, without its endpoints. */
async function opened() {
  const logs = await openLogs()
  const { storage, clock } = logs
  const trustLog = await logs.open()
  const audit = newAudit({ storage, clock, log: silentLog, writer: 'w1', trustLog })
  await audit.start()
  const [orgId, agentId, introductionId] = [newId(systemRandom, 'org'), newId(systemRandom, 'agt'), newId(systemRandom, 'int')]
  const tokens = new Map<TokenId, CountedToken>()
  const deps: CountDeps = { uses: usesStore(logs), audit, storage, findTokenRecord: async (id) => tokens.get(id), clock, log: silentLog }
  const uncounted = async () => (await audit.store.links.find('uncounted', { where: { isUncounted: true }, limit: 100 })).items.length
  return {
    ...logs,
    deps,
    agentId,
    /** Issues tokens, and waits until their rows are linked. */
    issue: async (count: number) => {
      const before = await uncounted()
      for (let i = 0; i < count; i++) {
        const tokenId = newId(systemRandom, 'tok')
        const issuedAt = clock.now()
        tokens.set(tokenId, {
          clientId: agentId,
          orgId,
          audience: AUDIENCE,
          scope: 'a',
          dependsOn: [],
          actors: [],
          introductionId,
          jkt: JKT,
          issuedAt,
        })
        await audit.record({ orgId, actor: agentId, action: 'oauth.token', outcome: 'done', tokenId })
      }
      await eventually(async () => {
        clock.advance(6)
        expect(await uncounted()).toBeGreaterThan(before)
      })
    },
    purgeTokens: () => tokens.clear(),
    record: (id: string) => storage.collection(USE_RECORDS).get(id),
    introduction: `introduction ${introductionId}`,
    uncounted,
  }
}

test('20 passes at once count each use once', async () => {
  await using world = await opened()
  const { deps, uncounted, record } = world
  await world.issue(30)
  await world.issue(5)
  while ((await uncounted()) > 0) await Promise.all(Array.from({ length: 20 }, () => countUses(deps, 60_000)))
  for (const id of [world.introduction, `client ${world.agentId}`, `audience ${world.agentId} ${AUDIENCE}`])
    expect(await record(id)).toMatchObject({ count: 35 })
  expect((await world.storage.collection(AGENT_PROFILES).get(world.agentId))?.hours.map(([, uses]) => uses)).toEqual([35])
})

test('a pass that was slower than another one does not count again what the other has counted', async () => {
  await using world = await opened()
  const { deps } = world
  await world.issue(2)
  let other: Promise<void> | undefined
  const slow: CountDeps = {
    ...deps,
    findTokenRecord: async (id) => {
      other ??= countUses(deps, 60_000)
      await other
      return deps.findTokenRecord(id)
    },
  }
  await countUses(slow, 60_000)
  expect(await world.record(world.introduction)).toMatchObject({ count: 2 })
})

test('a pass that crashes before its commit has counted nothing and is repeated', async () => {
  await using world = await opened()
  await world.issue(3)
  const crashing = { ...world.deps, storage: { commit: async () => Promise.reject(new Error('killed')) } }
  await expect(countUses(crashing, 60_000)).rejects.toThrow('killed')
  expect(await world.record(world.introduction)).toBeUndefined()
  await countUses(world.deps, 60_000)
  await countUses(world.deps, 60_000)
  expect(await world.record(world.introduction)).toMatchObject({ count: 3 })
})

test('a token whose record was purged before it was counted is recorded as uncounted', async () => {
  await using world = await opened()
  await world.issue(2)
  world.purgeTokens()
  await countUses(world.deps, 60_000)
  expect(await world.record(`client ${world.agentId}`)).toMatchObject({ count: 0, uncounted: 2 })
  expect(await world.uncounted()).toBe(0)
})

test('a pass ends when its time is over, and the next one goes on', async () => {
  await using world = await opened()
  await world.issue(1)
  await world.issue(1)
  await world.issue(1)
  let ms = 0
  await countUses({ ...world.deps, clock: { monotonicMs: () => (ms += 10) } }, 15)
  expect(await world.record(world.introduction)).toMatchObject({ count: 1 })
  await countUses(world.deps, 60_000)
  expect(await world.record(world.introduction)).toMatchObject({ count: 3 })
})
