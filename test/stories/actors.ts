import type { IntroductionId } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry } from '../registry.js'

/** What a peer is called for in these stories. */
export const SCOPES = ['ocr:read', 'ocr:admin'] as const

/** The reason with which something was refused, or `done`. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof Error && 'reason' in error ? String(error.reason) : String(error)
  }
}

/** An agent with a published card, that is asked before it is introduced to anybody. */
export async function aPublishedAgent(
  registry: Registry,
  { of, introductionPolicy = { mode: 'ask' }, ceiling = {} }: { of: Actor; introductionPolicy?: object; ceiling?: object },
): Promise<AgentActor> {
  const callee = await registry.agent({ of, name: 'callee', introductionPolicy, ceiling })
  await callee.publish({ card: aCard(registry) })
  return callee
}

/** Introduces one agent to another; the other approves. */
export async function introduce(
  from: AgentActor,
  to: AgentActor,
  scopes: readonly string[] = ['ocr:read'],
  more: object = {},
): Promise<IntroductionId> {
  const asked = await from.introductions.request({ to: to.agentId, purpose: 'a story', scopes, ...more })
  if (asked.state === 'pending') await to.introductions.approve(asked.introductionId)
  return asked.introductionId
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
  const ocr = await aPublishedAgent(registry, { of: acme })
  const rights = SCOPES.map((scope) => ({ audience: ocr.audience, scope }))
  const planner = await registry.agent({ of: globex, name: 'planner', ceiling: { rights, delegationDepth: 3 } })
  return { acme, globex, ocr, planner, introductionId: await introduce(planner, ocr, scopes, more) }
}
