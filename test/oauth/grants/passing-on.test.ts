// What a token was decided on may change before it is passed on: then the new token is decided by what is so now.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AccessTokenClaims } from '../../../src/protocol/claims.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aCallee, introduce, reasonOf } from '../../stories/actors.js'

const claimsOf = (token: string): AccessTokenClaims => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

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
  /** Given to B by A, with the right to pass on to C and then to D. */
  readonly given: string
}

const passOn = (depth: number, ...to: AgentActor[]) => ({ depth, rights: to.map(({ audience }) => ({ audience, scope: 'ocr:read' })) })

async function aChain(): Promise<Chain> {
  const admin = await registry.organisation('Acme')
  const d = await aCallee(registry, { of: admin })
  const c = await aCallee(registry, { of: admin, ceiling: { rights: passOn(1, d).rights, delegationDepth: 2 } })
  const b = await aCallee(registry, { of: admin, ceiling: { rights: passOn(1, c, d).rights, delegationDepth: 2 } })
  const a = await registry.agent({ of: admin, ceiling: { rights: passOn(1, b, c, d).rights, delegationDepth: 2 } })
  await introduce(a, b, ['ocr:read'], { delegation: passOn(2, c, d) })
  await introduce(b, c, ['ocr:read'], { delegation: passOn(1, d) })
  await introduce(c, d)
  const { accessToken } = await a.exchange({ audience: b.audience, delegation: passOn(2, c, d) })
  return { admin, a, b, c, d, given: accessToken }
}
const toC = ({ b, c, d, given }: Chain) => b.exchange({ audience: c.audience, subjectToken: given, delegation: passOn(1, d) })
const toD = async ({ c, d }: Chain, passed: string) => c.exchange({ audience: d.audience, subjectToken: passed })
const moved = { supportedInterfaces: [{ url: 'http://127.0.0.1:9/moved', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] }

test('as long as nothing changes it is passed on to the end, and each introduction behind it is stood on', async () => {
  const chain = await aChain()
  const passed = await toC(chain)
  const last = await toD(chain, passed.accessToken)
  expect(claimsOf(last.accessToken)).toMatchObject({ sub: chain.a.agentId, act: { sub: chain.c.agentId, act: { sub: chain.b.agentId } } })
  expect(claimsOf(last.accessToken).standing.dependsOn.filter((handle) => handle.startsWith('int:'))).toHaveLength(3)
})

const ceilings: readonly [string, (chain: Chain) => object, string][] = [
  ['no right to call C', ({ b, d }) => ({ rights: passOn(1, b, d).rights, delegationDepth: 2 }), 'invalid_scope'],
  [
    'a narrower right to call C',
    ({ b, c }) => ({ rights: [...passOn(1, b).rights, { audience: c.audience, scope: 'ocr:read/page' }] }),
    '',
  ],
  ['no right at all', () => ({ scopes: [], rights: [] }), 'invalid_scope'],
  ['no tokens that are passed on', ({ b, c, d }) => ({ rights: passOn(1, b, c, d).rights, delegationDepth: 0 }), 'delegation_too_deep'],
]
test.each(ceilings)('who began the chain has %s any more', async (_, ceilingFor, refusal) => {
  const chain = await aChain()
  const ceiling = { delegationDepth: 2, ...ceilingFor(chain) }
  await chain.admin.mutate('agents.change', { agentId: chain.a.agentId, ceiling })
  expect(await chain.b.introspect(chain.given)).toEqual({ active: false })
  const passing = chain.b.exchange({ audience: chain.c.audience, subjectToken: chain.given })
  if (refusal !== '') return expect(await reasonOf(passing)).toBe(refusal)
  expect(claimsOf((await passing).accessToken).scope).toBe('ocr:read/page')
})

test('tools, life and the right to pass on are bounded by everyone as well', async () => {
  const chain = await aChain()
  const rights = passOn(1, chain.b, chain.c).rights
  const ceiling = { rights, delegationDepth: 2, tools: ['scan'], tokenSeconds: 60 }
  await chain.admin.mutate('agents.change', { agentId: chain.a.agentId, ceiling })
  expect(await reasonOf(toC(chain))).toBe('invalid_scope')
  const { accessToken } = await chain.b.exchange({ audience: chain.c.audience, subjectToken: chain.given })
  const { allowed_tools, exp, iat } = claimsOf(accessToken)
  expect({ tools: allowed_tools, seconds: exp - iat }).toEqual({ tools: ['scan'], seconds: 60 })
})

test('what A relied on in the card of B changed: A must consent anew, and until then B, and C after it, passes nothing on', async () => {
  const chain = await aChain()
  const passed = await toC(chain)
  await chain.b.publish({ card: aCard(registry, moved) })
  expect(await reasonOf(chain.a.exchange({ audience: chain.b.audience }))).toBe('invalid_target')
  for (const [agent, token] of [
    [chain.b, chain.given],
    [chain.c, passed.accessToken],
  ] as const)
    expect(await agent.introspect(token)).toEqual({ active: false })
  expect(await reasonOf(toC(chain))).toBe('invalid_request')
  expect(await reasonOf(toD(chain, passed.accessToken))).toBe('invalid_request')
})
