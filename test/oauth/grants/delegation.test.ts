// A ceiling or card may change between the issue of a token and its delegation. The exchange decides by the current state.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

interface Chain {
  readonly admin: Actor
  readonly a: AgentActor
  readonly b: AgentActor
  readonly c: AgentActor
  readonly d: AgentActor
  /** A's token for B, which B may delegate to C, and C to D. */
  readonly tokenForB: string
}

const delegationTo = (depth: number, ...to: AgentActor[]) => ({
  depth,
  rights: to.map(({ audience }) => ({ audience, scope: 'ocr:read' })),
})

async function aChain(): Promise<Chain> {
  const admin = await registry.organisation('Acme')
  const d = await aPublishedAgent(registry, { registeredBy: admin })
  const c = await aPublishedAgent(registry, { registeredBy: admin, ceiling: { rights: delegationTo(1, d).rights, delegationDepth: 2 } })
  const b = await aPublishedAgent(registry, { registeredBy: admin, ceiling: { rights: delegationTo(1, c, d).rights, delegationDepth: 2 } })
  const a = await registry.agent({ registeredBy: admin, ceiling: { rights: delegationTo(1, b, c, d).rights, delegationDepth: 2 } })
  await introduce(a, b, ['ocr:read'], { delegation: delegationTo(2, c, d) })
  await introduce(b, c, ['ocr:read'], { delegation: delegationTo(1, d) })
  await introduce(c, d)
  const { accessToken } = await a.exchange({ audience: b.audience, delegation: delegationTo(2, c, d) })
  return { admin, a, b, c, d, tokenForB: accessToken }
}
const actor = ({ agentId }: AgentActor, inner: object = {}) => ({ sub: agentId, iss: registry.issuer, sub_profile: 'ai_agent', ...inner })
const exchangeForC = ({ b, c, d, tokenForB }: Chain) =>
  b.exchange({ audience: c.audience, subjectToken: tokenForB, delegation: delegationTo(1, d) })
const exchangeForD = async ({ c, d }: Chain, passed: string) => c.exchange({ audience: d.audience, subjectToken: passed })
const movedEndpoint = { supportedInterfaces: [{ url: 'http://127.0.0.1:9/moved', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] }

test('a token that passed through two agents depends on all three introductions of its chain', async () => {
  const chain = await aChain()
  const passed = await exchangeForC(chain)
  const last = await exchangeForD(chain, passed.accessToken)
  expect(claimsOf(last.accessToken)).toMatchObject({
    sub: chain.a.agentId,
    sub_profile: 'ai_agent',
    act: actor(chain.c, { act: actor(chain.b) }),
  })
  expect(await chain.d.introspect(last.accessToken)).toMatchObject({ sub_profile: 'ai_agent', act: actor(chain.c) })
  expect(claimsOf(last.accessToken).standing.dependsOn.filter((handle) => handle.startsWith('int:'))).toHaveLength(3)
})

const ceilings: readonly [string, (chain: Chain) => object, string][] = [
  ['without the right to call C', ({ b, d }) => ({ rights: delegationTo(1, b, d).rights, delegationDepth: 2 }), 'invalid_scope'],
  [
    'with a narrower right to call C',
    ({ b, c }) => ({ rights: [...delegationTo(1, b).rights, { audience: c.audience, scope: 'ocr:read/page' }] }),
    '',
  ],
  ['without any right', () => ({ scopes: [], rights: [] }), 'invalid_scope'],
  ['without delegation', ({ b, c, d }) => ({ rights: delegationTo(1, b, c, d).rights, delegationDepth: 0 }), 'delegation_too_deep'],
]
test.each(ceilings)('an exchange applies the current ceiling of the subject, changed to one %s', async (_, ceilingFor, refusal) => {
  const chain = await aChain()
  const ceiling = { delegationDepth: 2, ...ceilingFor(chain) }
  await chain.admin.mutate('agents.change', { agentId: chain.a.agentId, ceiling })
  expect(await chain.b.introspect(chain.tokenForB)).toEqual({ active: false })
  const exchanging = chain.b.exchange({ audience: chain.c.audience, subjectToken: chain.tokenForB })
  if (refusal !== '') return expect(await reasonOf(exchanging)).toBe(refusal)
  expect(claimsOf((await exchanging).accessToken).scope).toBe('ocr:read/page')
})

test('the ceiling of every agent in the chain also bounds tools, lifetime and delegation', async () => {
  const chain = await aChain()
  const rights = delegationTo(1, chain.b, chain.c).rights
  const ceiling = { rights, delegationDepth: 2, tools: ['scan'], tokenSeconds: 60 }
  await chain.admin.mutate('agents.change', { agentId: chain.a.agentId, ceiling })
  expect(await reasonOf(exchangeForC(chain))).toBe('invalid_scope')
  const { accessToken } = await chain.b.exchange({ audience: chain.c.audience, subjectToken: chain.tokenForB })
  const { allowed_tools, exp, iat } = claimsOf(accessToken)
  expect({ tools: allowed_tools, seconds: exp - iat }).toEqual({ tools: ['scan'], seconds: 60 })
})

test('after B’s card moved its endpoint, A’s tokens are inactive and B and C cannot exchange them', async () => {
  const chain = await aChain()
  const passed = await exchangeForC(chain)
  await chain.b.publish({ card: aCard(registry, movedEndpoint) })
  expect(await reasonOf(chain.a.exchange({ audience: chain.b.audience }))).toBe('invalid_target')
  for (const [agent, token] of [
    [chain.b, chain.tokenForB],
    [chain.c, passed.accessToken],
  ] as const)
    expect(await agent.introspect(token)).toEqual({ active: false })
  expect(await reasonOf(exchangeForC(chain))).toBe('invalid_request')
  expect(await reasonOf(exchangeForD(chain, passed.accessToken))).toBe('invalid_request')
})
