import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemRandom } from '../../src/lib/random.js'
import { type TokenRecord, tokensStore } from '../../src/oauth/store.js'
import { newId } from '../../src/protocol/ids.js'
import { claimsOf } from '../claims-of.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, aPublishedAgent, introduce, type Pair, reasonOf } from '../stories/actors.js'

interface Lineage {
  readonly nodes: readonly { readonly tokenId: string; readonly parents: readonly string[] }[]
  readonly isComplete: boolean
}

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const idOf = (accessToken: string) => claimsOf(accessToken).jti

/** A token of the planner for a new task, and `copies` records like it, written directly to the store. */
async function aTask(copies: number, changesOf: (record: TokenRecord, i: number) => Partial<TokenRecord> = () => ({})) {
  const { planner, ocr } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  const tokenId = idOf((await planner.exchange({ audience: ocr.audience, taskId })).accessToken)
  const tokens = tokensStore(registry)
  const record = await tokens.get(tokenId)
  if (record === undefined) throw new Error('the issued token has no record')
  const others = Array.from({ length: copies }, (_, i) => ({ ...record, id: newId(systemRandom, 'tok'), ...changesOf(record, i) }))
  for (let i = 0; i < copies; i += 100) await registry.storage.commit(others.slice(i, i + 100).map((copy) => tokens.inserting(copy)))
  return { taskId, tokenId }
}
const lineage = (query: { taskId: string } | { tokenId: string }, caller: AgentActor = pair.planner) =>
  caller.query<Lineage>('tokens.lineage', query)

test('the lineage of a task says whether it is complete', async () => {
  const [few, many] = [await aTask(10), await aTask(600)]
  expect((await lineage({ taskId: few.taskId })).isComplete).toBe(true)
  const { nodes, isComplete } = await lineage({ taskId: many.taskId })
  // 500 tokens of the task and their root token.
  expect([nodes.length, isComplete]).toEqual([501, false])
})

test('the lineage of a token says whether it is complete', async () => {
  const [few, many] = [await aTask(150, ({ id }) => ({ parents: [id] })), await aTask(600, ({ id }) => ({ parents: [id] }))]
  const complete = await lineage({ tokenId: few.tokenId })
  expect([complete.nodes.length, complete.isComplete]).toEqual([152, true])
  const cut = await lineage({ tokenId: many.tokenId })
  expect([cut.nodes.length, cut.isComplete]).toEqual([500, false])
})

test('parents come before their children, also among tokens of the same second', async () => {
  const { taskId, tokenId } = await aTask(20, ({ id }) => ({ parents: [id] }))
  for (const query of [{ taskId }, { tokenId }]) {
    const { nodes } = await lineage(query)
    const ids = nodes.map((node) => node.tokenId)
    expect(ids.length).toBe(22)
    for (const { tokenId, parents } of nodes)
      for (const parent of parents.filter((id) => ids.includes(id))) expect(ids.indexOf(parent)).toBeLessThan(ids.indexOf(tokenId))
  }
})

test('an actor of the latest of 1,200 tokens of a task may read its lineage, and an unrelated agent may not', async () => {
  const late = await registry.agent({ name: 'late' })
  const { taskId } = await aTask(1200, ({ issuedAt }, i) => ({ issuedAt: issuedAt + i, ...(i === 1199 && { actors: [late.agentId] }) }))
  expect((await lineage({ taskId }, late)).isComplete).toBe(false)
  const unrelated = await registry.agent({ name: 'unrelated' })
  expect(await reasonOf(lineage({ taskId }, unrelated))).toBe('not_found')
})

test('a called agent sees the tokens that involve it, and not those for other agents of the same task', async () => {
  const { planner, globex, ocr } = pair
  const rival = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Rival') })
  const rights = [ocr, rival].map(({ audience }) => ({ audience, scope: 'ocr:read' }))
  const caller = await registry.agent({ registeredBy: globex, name: 'caller', ceiling: { rights } })
  await introduce(caller, ocr)
  await introduce(caller, rival)
  const { taskId } = await caller.tasks.create({ description: 'two called agents' })
  const forRival = idOf((await caller.exchange({ audience: rival.audience, taskId })).accessToken)
  const forOcr = idOf((await caller.exchange({ audience: ocr.audience, taskId })).accessToken)
  const visibleTo = async (caller: Pick<Actor, 'query'>, query: { taskId: string } | { tokenId: string }) =>
    (await caller.query<Lineage>('tokens.lineage', query)).nodes.map(({ tokenId }) => tokenId)
  expect(await visibleTo(ocr, { taskId })).toEqual([forOcr])
  expect(await visibleTo(ocr, { tokenId: forOcr })).toEqual([forOcr])
  expect(await reasonOf(ocr.query('tokens.lineage', { tokenId: forRival }))).toBe('not_found')
  for (const actor of [caller, globex]) {
    expect(await visibleTo(actor, { taskId })).toEqual(expect.arrayContaining([forOcr, forRival]))
    expect(await visibleTo(actor, { taskId })).toHaveLength(3)
  }
  expect(await reasonOf(planner.query('tokens.lineage', { taskId }))).toBe('not_found')
})
