import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { ACTING_ROLES, type InviterDeps, isStillAuthorised } from '../../http/caller.js'
import { equalTexts } from '../../lib/bytes.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import { codeStands } from '../keys/one-time-code.js'
import { type KeyRegistered, type RegisterKeyDeps, requireOfferedKey, saveRegisteredKey } from '../keys/register.js'
import type { FindAgentDeps } from './find.js'
import { findIntroductionTarget } from './find.js'
import type { Agent, Registration } from './store.js'

const MAX_ATTEMPTS = 5

interface Confirmation {
  readonly agentId: AgentId
  readonly registrationToken: string
  readonly jwk: Record<string, unknown>
  readonly proof: string
}

/**
 * Confirms a registration with the agent's own key, which makes the agent active.
 * Every fault in the registration token gets the same refusal, and a registration allows MAX_ATTEMPTS attempts, right or wrong.
 */
export async function confirmAgent(
  deps: FindAgentDeps & RegisterKeyDeps & InviterDeps & { readonly storage: Storage },
  { agentId, registrationToken, jwk, proof }: Confirmation,
): Promise<KeyRegistered & { readonly agentId: AgentId; readonly state: 'active' }> {
  const { now } = await deps.trustLog.readBarrier()
  const deny = () =>
    refuse(
      'code_invalid',
      'the registration token is wrong, used or expired; an agent confirms once and then authenticates with the key that it confirmed',
    )
  const registration = await deps.agents.registrations.get(agentId)
  const target = await findIntroductionTarget(deps, agentId)
  if (!registration || !target || !codeStands(deps.trustLog, [...target.dependencies.handles, registration.epoch])) return deny()
  if ((await deps.storage.count(`registration ${agentId}`, 1, MAX_ATTEMPTS, registration.expiresAt)) === undefined) return deny()
  const tokenHash = digestOfText(registrationToken)
  if (registration.tokenHash === undefined || !equalTexts(tokenHash, registration.tokenHash)) return deny()
  const agent = await deps.agents.get(agentId)
  const { orgId } = target
  if (!agent || !(await mayConfirm(deps, agent, registration))) return deny()
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: agentId })
  const registered = await saveRegisteredKey(
    deps,
    { owner: agentId, orgId, use: 'client', key, grantedBy: agent.grantedBy, registeredAt: now, registeredBy: agentId },
    {
      dependsOn: target.dependencies.handles,
      also: [
        deps.agents.registrations.taking(agentId, { tokenHash }),
        deps.audit.recording({ orgId, actor: agentId, action: 'agents.confirm', outcome: 'done', subject: agentId }),
      ],
    },
  )
  return registered ? { agentId, state: 'active', ...registered } : deny()
}

/**
 * True while the member or agent that registered an agent may still register one. A confirmed agent outlives it; an unconfirmed registration does not.
 */
export async function mayConfirm(
  deps: InviterDeps & Pick<RegisterKeyDeps, 'trustLog'>,
  { orgId, grantedBy }: Agent,
  { registeredBy }: Registration,
): Promise<boolean> {
  if (!stands(deps.trustLog.ended, identitiesOf(grantedBy))) return false
  return (
    registeredBy === undefined ||
    isStillAuthorised(deps, registeredBy, ({ role, ...client }) => client.orgId === orgId && ACTING_ROLES.includes(role))
  )
}
