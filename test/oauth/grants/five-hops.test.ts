// The longest chain that must fit: a token lists the handles of every hop, and at most 96 (DESIGN §1, "Standing in a token").
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce } from '../../stories/actors.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const HOPS = 5
const skills = Array.from({ length: 24 }, (_, i) => ({ id: `skill-${i}`, name: `Skill ${i}`, description: `does ${i}`, tags: ['x'] }))

test('a chain of five hops across six organisations, over cards with 24 skills each, has at most 64 handles', async () => {
  const agents: AgentActor[] = []
  const rightsTo = (targets: readonly AgentActor[]) => targets.map(({ audience }) => ({ audience, scope: 'ocr:read' }))
  // The last agent first: a ceiling names the agents that come later in the chain.
  for (let hop = HOPS; hop >= 0; hop--) {
    const registeredBy = await registry.organisation(`Organisation ${hop}`)
    const ceiling = { rights: rightsTo(agents), delegationDepth: HOPS }
    const agent = await registry.agent({ registeredBy, introductionPolicy: { mode: 'ask' }, ceiling })
    await agent.publish({ card: aCard(registry, { skills }) })
    agents.unshift(agent)
  }
  const delegationAt = (hop: number) => {
    const later = agents.slice(hop + 2)
    return later.length > 0 ? { delegation: { depth: later.length, rights: rightsTo(later) } } : {}
  }
  const [first] = agents
  if (!first) throw new Error('no agents')
  const { taskId } = await first.tasks.create({ description: 'a chain' })
  let subjectToken: string | undefined
  for (let hop = 0; hop < HOPS; hop++) {
    const [from, to] = agents.slice(hop, hop + 2)
    if (!from || !to) throw new Error('no agents')
    await introduce(from, to, ['ocr:read'], delegationAt(hop))
    const token = await from.exchange({
      audience: to.audience,
      taskId,
      ...delegationAt(hop),
      ...(subjectToken !== undefined && { subjectToken }),
    })
    subjectToken = token.accessToken
  }
  const claims = claimsOf(subjectToken ?? '')
  const countOf = (kind: string) => claims.standing.dependsOn.filter((handle) => handle.startsWith(`${kind}:`)).length
  expect({ introductions: countOf('int'), agents: countOf('agt'), organisations: countOf('org'), tasks: countOf('tsk') }).toEqual({
    introductions: HOPS,
    agents: HOPS + 1,
    organisations: HOPS + 1,
    tasks: 1,
  })
  expect(claims.standing.dependsOn.length).toBeLessThanOrEqual(64)
})
