import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemRandom } from '../../src/lib/random.js'
import { type TokenRecord, tokensStore } from '../../src/oauth/store.js'
import { newId, TokenId } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aCallee, aPair, introduce, type Pair, reasonOf } from '../stories/actors.js'

interface Lineage {
  readonly nodes: readonly { readonly tokenId: string }[]
  readonly isComplete: boolean
}

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const idOf = (accessToken: string) => TokenId.parse(JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()).jti)

/** A token of the planner for a new task, and as many more like it, written below the door. */
async function aTask(more: number, like: (record: TokenRecord, i: number) => Partial<TokenRecord> = () => ({})) {
  const { planner, ocr } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  const tokenId = idOf((await planner.exchange({ audience: ocr.audience, taskId })).accessToken)
  const tokens = tokensStore(registry)
  const record = await tokens.get(tokenId)
  if (record === undefined) throw new Error('a token that was issued is not there')
  const others = Array.from({ length: more }, (_, i) => ({ ...record, id: newId(systemRandom, 'tok'), ...like(record, i) }))
  for (let i = 0; i < more; i += 100) await registry.storage.commit(others.slice(i, i + 100).map((one) => tokens.inserting(one)))
  return { taskId, tokenId }
}
const lineage = (of: { taskId: string } | { tokenId: string }, by: AgentActor = pair.planner) => by.query<Lineage>('tokens.lineage', of)

test('says whether it shows all tokens of a task', async () => {
  const [few, many] = [await aTask(10), await aTask(600)]
  expect((await lineage({ taskId: few.taskId })).isComplete).toBe(true)
  const { nodes, isComplete } = await lineage({ taskId: many.taskId })
  // And the root token that they came from
  expect([nodes.length, isComplete]).toEqual([501, false])
}, 20_000)

test('says whether it shows everything that came from a token', async () => {
  const [few, many] = [await aTask(150, ({ id }) => ({ parents: [id] })), await aTask(600, ({ id }) => ({ parents: [id] }))]
  const shown = await lineage({ tokenId: few.tokenId })
  expect([shown.nodes.length, shown.isComplete]).toEqual([152, true])
  const cut = await lineage({ tokenId: many.tokenId })
  expect([cut.nodes.length, cut.isComplete]).toEqual([500, false])
}, 20_000)

test('who has to do with a late token of a task may see it, and nobody else', async () => {
  const late = await registry.agent({ name: 'late' })
  const { taskId } = await aTask(1200, ({ issuedAt }, i) => ({ issuedAt: issuedAt + i, ...(i === 1199 && { actors: [late.agentId] }) }))
  expect((await lineage({ taskId }, late)).isComplete).toBe(false)
  const stranger = await registry.agent({ name: 'stranger' })
  expect(await reasonOf(lineage({ taskId }, stranger))).toBe('not_found')
}, 20_000)

test('a callee sees what it has to do with, and not whom else its caller calls', async () => {
  const { planner, globex, ocr } = pair
  const rival = await aCallee(registry, { of: await registry.organisation('Rival') })
  const rights = [ocr, rival].map(({ audience }) => ({ audience, scope: 'ocr:read' }))
  const caller = await registry.agent({ of: globex, name: 'caller', ceiling: { rights } })
  await introduce(caller, ocr)
  await introduce(caller, rival)
  const { taskId } = await caller.tasks.create({ description: 'two callees' })
  const forRival = idOf((await caller.exchange({ audience: rival.audience, taskId })).accessToken)
  const forOcr = idOf((await caller.exchange({ audience: ocr.audience, taskId })).accessToken)
  const seen = async (by: Pick<Actor, 'query'>, of: { taskId: string } | { tokenId: string }) =>
    (await by.query<Lineage>('tokens.lineage', of)).nodes.map(({ tokenId }) => tokenId)
  expect(await seen(ocr, { taskId })).toEqual([forOcr])
  expect(await seen(ocr, { tokenId: forOcr })).toEqual([forOcr])
  expect(await reasonOf(ocr.query('tokens.lineage', { tokenId: forRival }))).toBe('not_found')
  for (const one of [caller, globex]) {
    expect(await seen(one, { taskId })).toEqual(expect.arrayContaining([forOcr, forRival]))
    expect(await seen(one, { taskId })).toHaveLength(3)
  }
  expect(await reasonOf(planner.query('tokens.lineage', { taskId }))).toBe('not_found')
}, 20_000)
