// Records every command that the adapter sends with the server's profiler, and explains it. No command may read a whole collection, or sort in
// memory what an index could return in order.
import type { Db, Document } from 'mongodb'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../src/server/config.js'
import { serve } from '../../../src/server/main.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { type CardQuery, indexingCard } from '../../../src/storage/storage.js'
import { aCard, newCast } from '../../registry.js'
import { setClock } from '../../set-clock.js'
import { introduce } from '../../stories/actors.js'
import { aRow } from '../contract/cards.js'
import { THINGS } from '../contract/things.js'
import { tempFolder } from '../open-store.js'
import { overMongod } from '../over-mongod.js'
import { withDatabase } from './backup.js'

interface Explained {
  readonly command: string
  readonly stages: readonly string[]
}

/** Returns each distinct command that was sent while `work` ran, with the stages of its plan. */
async function explained(url: string, work: () => Promise<void>): Promise<readonly Explained[]> {
  await withDatabase(url, async (db) => {
    await db.createCollection('system.profile', { capped: true, size: 64 * 1024 * 1024 })
    await db.setProfilingLevel('all')
  })
  await work()
  return withDatabase(url, async (db) => {
    await db.setProfilingLevel('off')
    const forms = new Map<string, Document>()
    for await (const { command, ns } of db.collection('system.profile').find({ op: { $in: ['query', 'command', 'update', 'remove'] } })) {
      const recorded = explainable(command, String(ns))
      if (recorded !== undefined) forms.set(formOf(recorded), recorded)
    }
    const all: Explained[] = []
    for (const [form, command] of forms) all.push({ command: form, stages: stagesOf(await explain(db, command)) })
    return all
  })
}

/** The profiler records each statement of an update or delete separately, and other commands as a whole. */
function explainable(command: Document, ns: string): Document | undefined {
  const name = ns.slice(ns.indexOf('.') + 1)
  if (name.startsWith('system.') || name.startsWith('$cmd') || command.explain !== undefined) return undefined
  const { q, u, multi, upsert, limit } = command
  if (q !== undefined && u !== undefined) return { update: name, updates: [{ q, u, multi: multi === true, upsert: upsert === true }] }
  if (q !== undefined) return { delete: name, deletes: [{ q, limit: limit ?? 0 }] }
  const kinds = ['find', 'aggregate', 'count', 'distinct', 'findAndModify', 'findandmodify']
  if (!kinds.some((kind) => kind in command)) return undefined
  // Change streams read the server's own log
  if (JSON.stringify(command).includes('$changeStream')) return undefined
  const explainableFields = ['filter', 'sort', 'hint', 'limit', 'projection', 'pipeline', 'cursor', 'query', 'update', 'new', ...kinds]
  return Object.fromEntries(Object.entries(command).filter(([field]) => explainableFields.includes(field)))
}

const explain = (db: Db, command: Document): Promise<Document> => db.command({ explain: command, verbosity: 'queryPlanner' })

/** Equal for commands that differ only in values. */
const formOf = (command: Document): string =>
  JSON.stringify(command, (_, value) =>
    Array.isArray(value) && value.every((one) => typeof one !== 'object') ? ['…'] : typeof value === 'object' ? value : shortOf(value),
  )
const shortOf = (value: unknown): unknown => (typeof value === 'string' && /^[$a-z_-]{1,20}$/.test(value) ? value : typeof value)

/** The stages of the winning plan. */
function stagesOf(plan: unknown): string[] {
  if (Array.isArray(plan)) return plan.flatMap(stagesOf)
  if (typeof plan !== 'object' || plan === null) return []
  return Object.entries(plan).flatMap(([name, value]) => {
    if (name === 'rejectedPlans' || name === 'slotBasedPlan' || name === 'command') return []
    if (name === 'stage' && typeof value === 'string') return [value]
    return name === '$sort' ? ['SORT'] : stagesOf(value)
  })
}

const readsAll = ({ stages }: Explained): boolean => stages.includes('COLLSCAN')
const sorts = ({ stages }: Explained): boolean => stages.includes('SORT')

/** Sorting in memory is allowed for filtered card rows: an index gives either their lists or their order. */
const isUnbounded = ({ command }: Explained): boolean => !command.includes('"card-rows"') || !command.includes('lists')

overMongod((mongod) => {
  // Retried once: on a busy machine a barrier read under the profiler may take longer than 250 ms
  test('every command of a running registry uses an index, also for its order', { retry: 1 }, async () => {
    await using folder = await tempFolder()
    const url = mongod().url()
    const flags = { dev: true, store: url, dataDirectory: folder.path, port: 0, adminPort: 0, graceSeconds: 0, logLevel: 'silent' }
    // Started twice: the second start finds existing collections
    await (await serve(parseConfig(flags, undefined, {}))).close()
    const all = await explained(url, async () => {
      const registry = await serve(parseConfig(flags, undefined, {}))
      const { issuer, firstCode = '' } = registry
      const cast = await newCast({ issuer, firstCode })
      const acme = await cast.organisation('Acme')
      const ocr = await cast.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'ask' } })
      await ocr.publish({ card: aCard({ issuer }) })
      const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
      const planner = await cast.agent({ registeredBy: acme, name: 'planner', ceiling: { rights } })
      const introductionId = await introduce(planner, ocr)
      const { taskId } = await planner.tasks.create({ description: 'read' })
      const token = await planner.exchange({ audience: ocr.audience, taskId })
      await ocr.introspect(token.accessToken)
      await planner.lineage({ taskId })
      for (const query of [{ text: 'scanned' }, { tags: ['ocr'] }, { skill: 'read-page' }, {}]) await planner.search(query)
      for (const role of ['from', 'to']) await planner.query('introductions.list', { role })
      await ocr.query('introductions.inbox', {})
      await planner.query('tasks.list', {})
      const { orgId } = acme
      for (const list of ['agents.list', 'tasks.list', 'organisations.list', 'audit.list']) await acme.query(list, {})
      for (const list of ['members.list', 'agents.list', 'audit.list']) await acme.query(list, { orgId })
      for (const list of ['organisations.list', 'audit.list']) await cast.operator.query(list, {})
      for (const owner of [ocr.agentId, orgId]) await acme.query('keys.list', { owner })
      await planner.revoke(token.accessToken)
      await planner.tasks.end(taskId)
      await acme.mutate('introductions.revoke', { introductionId })
      await acme.mutate('agents.suspend', { agentId: planner.agentId })
      await registry.close()
    })
    await mongod().drop(url)
    expect(all.length).toBeGreaterThan(40)
    expect(all.filter(readsAll)).toEqual([])
    expect(all.filter(sorts).filter(isUnbounded)).toEqual([])
  })

  test('all kinds of queries, searches, purges and bulk reads use indexes over many documents', async () => {
    const url = mongod().url()
    const clock = setClock()
    const storage = await openMongo({ url, clock, instance: 'one', warn: () => undefined })
    const things = storage.collection(THINGS)
    const until = clock.now() + 1000
    await Promise.all(
      Array.from({ length: 600 }, (_, i) =>
        things.insert({
          id: `t${i}`,
          group: `g${i % 3}`,
          rank: i % 40,
          by: ['a', `b${i}`],
          name: `n${i}`,
          state: i % 2 ? 'open' : 'shut',
          isOpen: true,
          until,
        }),
      ),
    )
    for (let i = 0; i < 200; i += 50)
      await storage.commit(
        Array.from({ length: 50 }, (_, j) => {
          const id = `c${i + j}`
          const properties = { skill: ['read'], tag: [`t${j}`, 'all'] }
          return indexingCard(id, [aRow(id, { name: `card ${i + j}`, description: 'reads pages', updatedAt: i + j, properties })])
        }),
      )
    const all = await explained(url, async () => {
      for (const order of ['up', 'down'] as const)
        for (const [index, where] of [
          ['group', { group: 'g1' }],
          ['group', { group: 'g1', rank: 3 }],
          ['by', { by: 'a' }],
          ['by', { by: null }],
          ['rank', {}],
          ['rank', { rank: null }],
          ['state', { state: 'open', isOpen: true }],
          ['state', { state: 'open', isOpen: null }],
          ['state', { state: null, isOpen: null }],
        ] as const) {
          const first = await things.find(index, { where, limit: 5, order })
          if (first.next) await things.find(index, { where, limit: 5, order, after: first.next })
        }
      const tag = (value: string) => ({ property: 'tag' as const, anyOf: [value] })
      for (const text of [undefined, 'reads', 'reads pages', 'pags', 'read pa'])
        for (const filters of [[], [{ property: 'skill' as const, anyOf: ['read'] }], [tag('all'), tag('t3')]])
          for (const introducedTo of [[], ['c1', 'c2']]) {
            const query: CardQuery = { ...(text && { text }), filters, introducedTo, tier: 'authenticated', limit: 3 }
            const { next: after } = await storage.cards.search({ ...query, tier: 'public' })
            if (after) await storage.cards.search({ ...query, tier: 'public', after })
          }
      await storage.cards.outdated(10)
      await storage.cards.suggest('public', 'rea', 5)
      await things.insert({ id: 't1', group: 'g1', until })
      await things.change('t1', { state: 'open' }, { state: 'shut' })
      await things.take('t2', {})
      for (const by of [1, 2]) await storage.count('c', by, 10, until)
      await storage.log.head()
      await storage.log.has('ent_x' as never)
      await storage.log.blockOf(3)
      await storage.bulk.documents(THINGS as never, { limit: 5, now: 1, after: 't3' })
      await storage.bulk.counters({ limit: 5, now: 1 })
      clock.advance(1001)
      await things.insert({ id: 't3', group: 'g1', name: 'n4' })
      await storage.purge(until + 1, 100)
    })
    await storage.close()
    await mongod().drop(url)
    expect(all.length).toBeGreaterThan(30)
    expect(all.filter(readsAll)).toEqual([])
    expect(all.filter(sorts).filter(isUnbounded)).toEqual([])
    expect(all.filter(sorts).length).toBeGreaterThan(0)
  })

  test('the test detects a filter and an order without an index', async () => {
    const url = mongod().url()
    await withDatabase(url, (db) => db.collection('things').createIndex({ a: 1 }))
    const all = await explained(url, () =>
      withDatabase(url, async (db) => {
        await db.collection('things').findOne({ b: 1 })
        await db.collection('things').updateOne({ b: 1 }, { $set: { c: 1 } })
        await db.collection('things').find({ a: 1 }).sort({ b: 1 }).toArray()
      }),
    )
    await mongod().drop(url)
    expect([all.filter(readsAll).length, all.filter(sorts).length]).toEqual([2, 1])
  })
})
