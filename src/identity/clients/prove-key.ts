import { readPublicJwk } from '../../credentials/jose/jwk.js'
import { isRefusal } from '../../errors.js'
import type { InviterDeps } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { mayConfirm } from '../agents/confirm.js'
import { isCompromised } from '../keys/quota-slots.js'
import { type RegisterKeyDeps, saveRegisteredKey } from '../keys/register.js'
import { type AdmissionsDeps, findAdmission } from './admissions.js'
import type { Client, ClientKey, ExternalClient } from './client.js'
import { keysOfMetadata } from './metadata/metadata-keys.js'
import type { SelfRegisteredDeps } from './self-registered.js'

type ProveKeyDeps = SelfRegisteredDeps & RegisterKeyDeps & InviterDeps

/**
 * Registers a key that the agent listed in its metadata, after a valid assertion by this key was consumed. The first one makes the agent active, as
 * `agents.confirm` does. Returns false if the agent may not be confirmed any more. Of several assertions at once one registers the key, and all are
 * good.
 */
export async function registerProvedKey(deps: ProveKeyDeps, client: Client, { jwk, jkt }: ClientKey): Promise<boolean> {
  const { orgId } = client
  const agentId = AgentId.parse(client.id)
  const [agent, registration, registered] = await Promise.all([
    deps.agents.get(agentId),
    deps.agents.registrations.get(agentId),
    deps.registeredClients.get(agentId),
  ])
  const key = readPublicJwk(jwk)
  if (!agent || !registered || typeof key === 'string' || (await isCompromised(deps, jkt))) return false
  if (!keysOfMetadata(registered.metadata, agent.handle).some((listed) => listed.jkt === jkt)) return false
  const { tokenHash } = registered
  if (tokenHash === undefined) return false
  const isFirst = registered.expiresAt !== undefined
  const granting = isFirst ? [...identitiesOf(agent.grantedBy), registered.epoch] : []
  if (isFirst && !(registration && (await mayConfirm(deps, agent, registration)))) return false
  if (!stands(deps.trustLog.ended, granting)) return false
  try {
    const saved = await saveRegisteredKey(
      deps,
      { owner: agentId, orgId, use: 'client', key, grantedBy: agent.grantedBy, registeredAt: deps.trustLog.now(), registeredBy: agentId },
      {
        dependsOn: [...client.dependencies.handles, ...granting],
        also: [
          ...(isFirst ? [deps.agents.registrations.taking(agentId, {})] : []),
          // Fails if the metadata were changed, or the token withdrawn, meanwhile
          deps.registeredClients.changing(agentId, { tokenHash }, { tokenHash, ...(isFirst && { expiresAt: undefined }) }),
          deps.audit.recording({
            orgId,
            actor: agentId,
            action: isFirst ? 'agents.confirm' : 'keys.register',
            outcome: 'done',
            subject: agentId,
          }),
        ],
      },
    )
    return saved !== undefined
  } catch (error) {
    if (isRefusal(error) && error.reason === 'already_exists') return true
    throw error
  }
}

/** The first valid assertion of an agent that was admitted by the URL of its metadata makes it active. */
export async function confirmAdmitted(
  deps: SelfRegisteredDeps & Pick<RegisterKeyDeps, 'audit' | 'trustLog'> & AdmissionsDeps & { readonly storage: Storage },
  client: Client,
): Promise<boolean> {
  const { agents, audit, storage, trustLog } = deps
  const admission = await findAdmission(deps, client)
  const agent = admission && (await agents.get(admission.agentId))
  if (!agent || !stands(trustLog.ended, identitiesOf(agent.grantedBy))) return false
  if (admission.confirmedAt !== undefined) return true
  const { id, orgId } = agent
  const row = audit.recording({ orgId, actor: id, action: 'agents.confirm', outcome: 'done', subject: id })
  await storage.commit([admission.confirming(trustLog.now()), row])
  return true
}

const A_DAY = 86_400

/** An external client is confirmed by its first valid assertion: its registration does not expire any more. A document counts as used on this day. */
export async function noteUse(
  { registeredClients, clientDocuments, trustLog }: SelfRegisteredDeps & AdmissionsDeps & { readonly trustLog: Pick<TrustLog, 'now'> },
  { kind, id, clientUri, dependencies }: Client | ExternalClient,
): Promise<void> {
  if (clientUri) {
    const usedAt = trustLog.now()
    const document = await clientDocuments.get(clientUri)
    if (document && (document.usedAt ?? 0) <= usedAt - A_DAY)
      await clientDocuments.change(clientUri, { usedAt: document.usedAt ?? null }, { usedAt })
  } else if (kind === 'external' && Number.isFinite(dependencies.expiresAt))
    await registeredClients.change(id, {}, { expiresAt: undefined })
}
