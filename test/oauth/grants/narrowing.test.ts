import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AccessTokenClaims } from '../../../src/protocol/claims.js'
import { coveredBySome, coversRight, type Right, type Scope } from '../../../src/protocol/rights.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'

const claimsOf = (token: string): AccessTokenClaims => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

let registry: Registry
let admin: Actor
let chain: [AgentActor, AgentActor, AgentActor]
beforeAll(async () => {
  registry = await startRegistry()
  admin = await registry.organisation('Acme')
  const agents = await Promise.all([1, 2, 3].map(() => registry.agent({ registeredBy: admin, introductionPolicy: { mode: 'ask' } })))
  chain = agents as [AgentActor, AgentActor, AgentActor]
  const scopes = { a: 'a', 'a/b': 'ab', 'a/b/c': 'abc', d: 'd' }
  const securitySchemes = {
    credence: { oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes } } } },
  }
  for (const agent of chain) await agent.publish({ card: aCard(registry, { securitySchemes, securityRequirements: [] }) })
})
afterAll(() => registry[Symbol.asyncDispose]())

const SCOPES = ['a', 'a/b', 'a/b/c', 'd'] as const
// Often all scopes, so that many runs issue a token.
const someScopes = fc.oneof(fc.constant(['a', 'd']), fc.subarray([...SCOPES], { minLength: 1 }))
const someTools = fc.option(fc.subarray(['x', 'x/y', 'z'], { minLength: 1 }), { nil: undefined })
const world = fc.record({
  ceilings: fc.tuple(someScopes, someScopes),
  bounds: fc.tuple(someScopes, someScopes),
  requested: fc.tuple(fc.option(someScopes, { nil: undefined }), fc.option(someScopes, { nil: undefined })),
  tools: fc.tuple(someTools, someTools, someTools),
  delegated: someScopes,
  grantedDelegation: someScopes,
  depth: fc.integer({ min: 1, max: 3 }),
  ceilingDepth: fc.integer({ min: 0, max: 3 }),
})

test('no token exceeds its ceiling, its subject token, its introduction or its request', async () => {
  let issued = 0
  let refused = 0
  await fc.assert(
    fc.asyncProperty(world, async ({ ceilings, bounds, requested, tools, delegated, grantedDelegation, depth, ceilingDepth }) => {
      const [first, middle, last] = chain
      const rightsOf = (audience: AgentActor, scopes: readonly string[]): Right[] =>
        scopes.map((scope) => ({ audience: audience.audience, scope: scope as Scope }))
      const firstCeiling = {
        rights: [...rightsOf(middle, SCOPES), ...rightsOf(last, ceilings[0])],
        delegationDepth: ceilingDepth,
        ...(tools[0] && { tools: tools[0] }),
      }
      const middleCeiling = { rights: rightsOf(last, ceilings[1]), ...(tools[1] && { tools: tools[1] }) }
      await admin.mutate('agents.change', { agentId: first.agentId, ceiling: firstCeiling })
      await admin.mutate('agents.change', { agentId: middle.agentId, ceiling: middleCeiling })
      const granted = { depth, rights: rightsOf(last, grantedDelegation) }
      const introduce = async (from: AgentActor, to: AgentActor, scopes: readonly string[], more: object) => {
        const { introductionId } = await from.introductions.request({ to: to.agentId, purpose: 'x', scopes, ...more })
        await to.introductions.approve(introductionId)
        return introductionId
      }
      const within = (scopes: readonly string[], ceiling: readonly string[]) => scopes.filter((scope) => coveredBySome(ceiling, scope))
      const toMiddle = await introduce(first, middle, bounds[0], { delegation: granted, ...(tools[2] && { tools: tools[2] }) })
      const reachable = within(bounds[1], ceilings[1])
      const toLast = reachable.length === 0 ? undefined : await introduce(middle, last, reachable, {})
      try {
        const delegation = { depth: 1, rights: rightsOf(last, delegated) }
        const given = await first.exchange({
          audience: middle.audience,
          delegation,
          ...(requested[0] && { scope: requested[0].join(' ') }),
        })
        const subject = claimsOf(given.accessToken)
        for (const scope of subject.scope.split(' '))
          for (const source of [bounds[0], ...(requested[0] ? [requested[0]] : [])]) expect(coveredBySome(source, scope)).toBe(true)
        for (const right of subject.delegation?.rights ?? [])
          for (const source of [granted.rights, delegation.rights, firstCeiling.rights]) expect(coversRight(source, right)).toBe(true)
        expect(subject.delegation?.depth).toBeLessThanOrEqual(Math.min(depth, ceilingDepth))
        for (const tool of subject.allowed_tools ?? [])
          for (const source of [tools[0], tools[2]]) if (source) expect(coveredBySome(source, tool)).toBe(true)
        issued++
        const passed = await middle.exchange({
          audience: last.audience,
          subjectToken: given.accessToken,
          ...(requested[1] && { scope: requested[1].join(' ') }),
        })
        const claims = claimsOf(passed.accessToken)
        for (const scope of claims.scope.split(' ')) {
          const right = { audience: last.audience, scope: scope as Scope }
          expect(coversRight(subject.delegation?.rights ?? [], right)).toBe(true)
          expect(coversRight(middleCeiling.rights, right)).toBe(true)
          expect(coveredBySome(reachable, scope)).toBe(true)
          if (requested[1]) expect(coveredBySome(requested[1], scope)).toBe(true)
        }
        for (const tool of claims.allowed_tools ?? [])
          for (const source of [subject.allowed_tools, tools[1]]) if (source) expect(coveredBySome(source, tool)).toBe(true)
        if (subject.allowed_tools) expect(claims.allowed_tools).toBeDefined()
        expect(claims.delegation).toBeUndefined()
        expect(claims.exp).toBeLessThanOrEqual(subject.exp)
        expect(claims.act).toEqual({ sub: middle.agentId })
        issued++
      } catch (error) {
        if (!(error instanceof Error && 'reason' in error)) throw error
        expect(['invalid_scope', 'invalid_target', 'delegation_too_deep']).toContain(error.reason)
        refused++
      }
      await first.introductions.revoke(toMiddle)
      if (toLast) await middle.introductions.revoke(toLast)
    }),
    { numRuns: 60 },
  )
  expect(issued).toBeGreaterThan(10)
  expect(refused).toBeGreaterThan(10)
}, 60_000)
