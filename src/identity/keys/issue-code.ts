import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { ClientId } from '../../protocol/ids.js'
import { dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { AgentsStore } from '../agents/store.js'
import type { Clients } from '../clients/clients.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { findRegisteredKeys } from './find.js'
import { newOneTimeCode } from './one-time-code.js'
import type { RegisterKeyDeps } from './register.js'
import { requireGeneration, type WithdrawDeps } from './withdraw-codes.js'

export interface KeyCodeDeps extends RegisterKeyDeps, Pick<WithdrawDeps, 'registeredClients'> {
  readonly agents: Pick<AgentsStore, 'cardsToIndex'>
  readonly storage: Storage
  readonly findClient: Clients['find']
}

const CODE_SECONDS = 86_400

/**
 * Issues a one-time code with which a client registers a further key: on a second machine, or after it lost its key. With `revokeOthers`, the new key
 * replaces all others.
 */
export async function issueKeyCode(
  deps: KeyCodeDeps & OwnerDeps,
  caller: Caller,
  { clientId, revokeOthers }: { readonly clientId: ClientId; readonly revokeOthers: boolean },
): Promise<{ code: string; expiresAt: number }> {
  const { now } = caller.barrier
  const { trustLog, registeredKeys } = deps
  const orgId = await requireOwner(deps, caller, clientId, 'register')
  const client = await deps.findClient(clientId)
  if (!client || !stands(trustLog.ended, client.dependencies.handles))
    return refuse('conflict', 'the client is suspended or revoked: no key of it is accepted')
  // Its registration token would stay valid beside the code
  if ((await findRegisteredKeys(deps, clientId)).length === 0)
    return refuse('conflict', 'the agent is not confirmed yet: the holder of its registration token registers the first key')
  // A withdrawal at the same time also withdraws this code
  const { generation } = await requireGeneration(deps, clientId)
  const { code, ...stored } = newOneTimeCode(deps.random, 'kcd')
  const expiresAt = now + CODE_SECONDS
  // `identities` includes the issuer's key: once that key ends, its open codes are void.
  const dependencies = joinDependencies(
    dependenciesOf([...caller.identities, trustLog.epoch]),
    dependenciesOf(identitiesOf(client.dependencies.handles)),
  )
  const keyCode = {
    ...stored,
    clientId,
    orgId,
    revokeOthers,
    issuer: caller.id,
    grantedBy: [...caller.identities],
    dependsOn: dependenciesToStore(dependencies, { now, expiresAt }),
    ...(generation !== undefined && { generation }),
    expiresAt,
  }
  const row = deps.audit.recording(auditDraft(caller, 'keys.issueCode', { orgId, subject: clientId, facts: { revokeOthers } }))
  const { ok } = await deps.storage.commit([registeredKeys.codes.inserting(keyCode), row])
  if (!ok) refuse('conflict', 'the code could not be saved; try again')
  await trustLog.requireStillStanding(caller.barrier, [...caller.dependencies.handles, ...keyCode.dependsOn])
  return { code, expiresAt }
}
