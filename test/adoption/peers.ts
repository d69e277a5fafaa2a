import { setTimeout } from 'node:timers/promises'
import { type AgentId, audienceOf } from '../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, aName, type Registry } from '../registry.js'
import { introduce } from '../stories/actors.js'

/** Waits until no verifier may accept anymore what was revoked before, whether it was notified or not: a second, the default `maxStalenessMs`. */
export const maxStaleness = () => setTimeout(1000)

export interface Registered {
  readonly agentId: AgentId
  readonly registrationToken: string
  readonly audience: string
}

/** Registers an agent that another program will confirm. Its introduction policy is open. */
export async function register(registry: Registry, registeredBy: Actor, more: object = {}): Promise<Registered> {
  const registered = await registeredBy.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', {
    name: aName('resource server'),
    introductionPolicy: { mode: 'open' },
    ...more,
  })
  return { ...registered, audience: audienceOf(registry.issuer, registered.agentId) }
}

export interface Callers {
  readonly planner: AgentActor
  readonly research: AgentActor
}

/** A planner that may call the target directly and through a research agent. */
export async function callersOf(registry: Registry, registeredBy: Actor, target: { agentId: AgentId; audience: string }): Promise<Callers> {
  const right = { audience: target.audience, scope: 'ocr:read' }
  const rights = [right, { audience: target.audience, scope: 'ocr:admin' }]
  const research = await registry.agent({
    registeredBy,
    name: aName('research'),
    introductionPolicy: { mode: 'open' },
    ceiling: { rights },
  })
  await research.publish({ card: aCard(registry) })
  const researchRight = { audience: research.audience, scope: 'ocr:read' }
  const planner = await registry.agent({
    registeredBy,
    name: aName('planner'),
    ceiling: { rights: [...rights, researchRight], delegationDepth: 1 },
  })
  const to = { agentId: target.agentId } as AgentActor // introduce() only reads the id, because the policy is open
  await introduce(planner, to, ['ocr:read', 'ocr:admin'])
  await introduce(research, to)
  await introduce(planner, research, ['ocr:read'], { delegation: { depth: 1, rights: [right] } })
  return { planner, research }
}
