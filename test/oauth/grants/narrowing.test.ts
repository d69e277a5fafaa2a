import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AccessTokenClaims } from '../../../src/protocol/claims.js'
import { coveredBySome, coversRight, type Right, type Scope } from '../../../src/protocol/rights.js'
import { claimsOf } from '../../claims-of.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { exchangeForm, freshNonce, tokenRequest } from '../requests.js'

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
      // A request beyond the ceiling is refused, so the ceiling is narrowed after the introduction.
      const wide = { rights: [...rightsOf(middle, SCOPES), ...rightsOf(last, SCOPES)], delegationDepth: 3 }
      await admin.mutate('agents.change', { agentId: first.agentId, ceiling: wide })
      await admin.mutate('agents.change', { agentId: middle.agentId, ceiling: middleCeiling })
      const granted = { depth, rights: rightsOf(last, grantedDelegation) }
      const introduce = async (from: AgentActor, to: AgentActor, scopes: readonly string[], more: object) => {
        const { introductionId } = await from.introductions.request({ to: to.agentId, purpose: 'x', scopes, ...more })
        await to.introductions.approve(introductionId)
        return introductionId
      }
      const within = (scopes: readonly string[], ceiling: readonly string[]) => scopes.filter((scope) => coveredBySome(ceiling, scope))
      const toMiddle = await introduce(first, middle, bounds[0], { delegation: granted, ...(tools[2] && { tools: tools[2] }) })
      await admin.mutate('agents.change', { agentId: first.agentId, ceiling: firstCeiling })
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
        expect(claims.act).toEqual({ sub: middle.agentId, iss: registry.issuer, sub_profile: 'ai_agent' })
        issued++
      } catch (error) {
        if (!(error instanceof Error && 'reason' in error)) throw error
        expect(['invalid_scope', 'invalid_target', 'delegation_too_deep']).toContain(error.reason)
        refused++
      }
      await first.introductions.revoke(toMiddle)
      if (toLast) await middle.introductions.revoke(toLast)
    }),
    { numRuns: 20 },
  )
  expect(issued).toBeGreaterThan(0)
  expect(refused).toBeGreaterThan(0)
})

/** How each parameter shows in the token. A parameter that is missing here must be refused. */
const HONOURED: Readonly<Record<string, (claims: AccessTokenClaims, value: string) => void>> = {
  scope: ({ scope }, value) => {
    for (const one of scope.split(' ')) expect(coveredBySome(value.split(' '), one)).toBe(true)
  },
  task_id: ({ task_id }, value) => expect(task_id).toBe(value),
  allowed_tools: ({ allowed_tools }, value) => expect(allowed_tools).toEqual(JSON.parse(value)),
  allowed_resources: ({ allowed_resources }, value) => expect(allowed_resources).toEqual(JSON.parse(value)),
  required_tools: ({ allowed_tools }, value) => {
    if (allowed_tools) for (const one of JSON.parse(value)) expect(coveredBySome(allowed_tools, one)).toBe(true)
  },
  required_resources: ({ allowed_resources }, value) => {
    if (allowed_resources) for (const one of JSON.parse(value)) expect(coveredBySome(allowed_resources, one)).toBe(true)
  },
  expires_in: ({ exp, iat }, value) => expect(exp - iat).toBeLessThanOrEqual(Number(value)),
  delegation: ({ delegation }, value) => expect(delegation).toEqual(JSON.parse(value)),
  exchange_rights: ({ exchange_rights }, value) => expect(exchange_rights).toEqual(JSON.parse(value)),
}

/** Everything that restricts a subject token also restricts a token that it was exchanged for. */
function expectWithin(subject: AccessTokenClaims, claims: AccessTokenClaims): void {
  expect(claims.exp).toBeLessThanOrEqual(subject.exp)
  for (const name of ['allowed_tools', 'allowed_resources'] as const) {
    const wide = subject[name]
    if (wide) for (const one of claims[name] ?? ['']) expect(coveredBySome(wide, one)).toBe(true)
  }
  if (subject.task_id) expect([claims.task_id, ...(claims.parent_task_ids ?? [])]).toContain(subject.task_id)
  const rights = subject.exchange_rights ?? subject.delegation?.rights
  if (!rights) return
  const passedOn = claims.delegation?.rights ?? []
  for (const scope of claims.scope.split(' ')) expect(coversRight(rights, { audience: claims.aud, scope: scope as Scope })).toBe(true)
  for (const right of passedOn) expect(coversRight(rights, right)).toBe(true)
}

test('whatever a parameter names is in the token, or the request is refused, along every chain', async () => {
  const [first, middle, last] = chain
  const rightsAt = (audience: AgentActor, scopes: readonly string[]) => scopes.map((scope) => ({ audience: audience.audience, scope }))
  const all = [...rightsAt(middle, SCOPES), ...rightsAt(last, SCOPES)]
  const ceiling = { rights: all, tools: ['x', 'z'], delegationDepth: 2 }
  for (const { agentId } of [first, middle]) await admin.mutate('agents.change', { agentId, ceiling })
  for (const [from, to, more] of [
    [first, middle, { delegation: { depth: 2, rights: rightsAt(last, SCOPES) } }],
    [middle, last, {}],
  ] as const) {
    const { introductionId } = await from.introductions.request({ to: to.agentId, purpose: 'x', scopes: ['a', 'd'], ...more })
    await to.introductions.approve(introductionId)
  }
  const parent = await first.tasks.create({ description: 'parent' })
  const child = await first.tasks.create({ description: 'child', parentTaskId: parent.taskId })
  const foreign = await last.tasks.create({ description: 'foreign' })
  const nonce = await freshNonce(registry, first)

  const names = (values: readonly string[]) => fc.subarray([...values], { minLength: 1 }).map((some) => JSON.stringify(some))
  const rights = fc.subarray(all.slice(1), { minLength: 1 })
  const parameters = fc.record(
    {
      scope: fc.constantFrom('a', 'a/b', 'a d', 'discovery:read tokens:exchange', 'revocations:read'),
      task_id: fc.constantFrom(parent.taskId, child.taskId, foreign.taskId),
      allowed_tools: names(['x', 'x/y', 'z']),
      allowed_resources: names(['r', 'r/s']),
      required_tools: names(['x/y', 'z']),
      required_resources: names(['r/s']),
      expires_in: fc.constantFrom('1', '60', '100000'),
      delegation: rights.map((some) => JSON.stringify({ depth: 1, rights: some })),
      exchange_rights: rights.map((some) => JSON.stringify(some)),
      max_uses: fc.constant('1'),
      authorization_details: fc.constant('[]'),
    },
    { requiredKeys: [] },
  )
  // Few parameters at a time, so that many requests are granted.
  const request = fc
    .tuple(
      parameters,
      fc.subarray(
        [
          'scope',
          'task_id',
          'expires_in',
          'allowed_tools',
          'required_tools',
          'allowed_resources',
          'required_resources',
          'delegation',
          'exchange_rights',
          'max_uses',
          'authorization_details',
        ],
        { maxLength: 2 },
      ),
    )
    .map(([values, kept]) => Object.fromEntries(Object.entries(values).filter(([name]) => kept.includes(name))) as Record<string, string>)
  let issued = 0
  let refused = 0
  const claimsOrRefusal = async (agent: AgentActor, form: Readonly<Record<string, unknown>>, asked: Readonly<Record<string, string>>) => {
    const { status, body } = await tokenRequest(registry, agent, { ...form, ...asked }, { nonce })
    if (status !== 200) {
      expect(status).toBe(400)
      refused++
      return undefined
    }
    issued++
    const claims = claimsOf(body.access_token)
    for (const [name, value] of Object.entries(asked)) {
      expect(Object.keys(HONOURED)).toContain(name)
      HONOURED[name]?.(claims, value)
    }
    return { claims, token: String(body.access_token) }
  }
  await fc.assert(
    fc.asyncProperty(request, request, request, async (atRoot, atFirst, atMiddle) => {
      const root = await claimsOrRefusal(first, { grant_type: 'client_credentials' }, atRoot)
      const passing = { delegation: JSON.stringify({ depth: 1, rights: rightsAt(last, ['a']) }) }
      const given = root && (await claimsOrRefusal(first, exchangeForm(root.token, middle.audience), { ...passing, ...atFirst }))
      if (root && given) expectWithin(root.claims, given.claims)
      const passed = given && (await claimsOrRefusal(middle, exchangeForm(given.token, last.audience), atMiddle))
      if (given && passed) expectWithin(given.claims, passed.claims)
    }),
    { numRuns: 50 },
  )
  expect(issued).toBeGreaterThan(0)
  expect(refused).toBeGreaterThan(0)
})
