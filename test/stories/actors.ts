import type { IntroductionId } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry } from '../registry.js'

/** The scopes of the OCR agent in these stories. */
export const SCOPES = ['ocr:read', 'ocr:admin'] as const

/** The reason of the refusal, or `done` if the work succeeds. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof Error && 'reason' in error ? String(error.reason) : String(error)
  }
}

/** An agent with a published card. By default it must approve each introduction (policy `ask`). */
export async function aPublishedAgent(
  registry: Registry,
  {
    registeredBy,
    introductionPolicy = { mode: 'ask' },
    ceiling = {},
  }: { registeredBy: Actor; introductionPolicy?: object; ceiling?: object },
): Promise<AgentActor> {
  const agent = await registry.agent({ registeredBy, introductionPolicy, ceiling })
  await agent.publish({ card: aCard(registry) })
  return agent
}

/** Introduces one agent to another; the other approves. */
export async function introduce(
  from: AgentActor,
  to: AgentActor,
  scopes: readonly string[] = ['ocr:read'],
  more: object = {},
): Promise<IntroductionId> {
  const introduction = await from.introductions.request({ to: to.agentId, purpose: 'a story', scopes, ...more })
  if (introduction.state === 'pending') await to.introductions.approve(introduction.introductionId)
  return introduction.introductionId
}

export interface Pair {
  readonly acme: Actor
  readonly globex: Actor
  readonly ocr: AgentActor
  readonly planner: AgentActor
  readonly introductionId: IntroductionId
}

/** An OCR agent of one organisation, and a planner of another that may call it. */
export async function aPair(registry: Registry, scopes: readonly string[] = ['ocr:read'], more: object = {}): Promise<Pair> {
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  const ocr = await aPublishedAgent(registry, { registeredBy: acme })
  const rights = SCOPES.map((scope) => ({ audience: ocr.audience, scope }))
  const planner = await registry.agent({ registeredBy: globex, name: 'planner', ceiling: { rights, delegationDepth: 3 } })
  return { acme, globex, ocr, planner, introductionId: await introduce(planner, ocr, scopes, more) }
}
