// Withdraws everything but the registered keys with which a key of a client can be registered, because a thief may have it: the open one-time codes, and
// for an agent that registered itself the registration access token and the listed keys that are not proved yet.
//
// Codes are withdrawn by one write, however many there are: each counts only in the generation of the client's codes in which it was issued, and a new
// generation makes all of them void.
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { ClientId } from '../../protocol/ids.js'
import type { Operation, Storage } from '../../storage/storage.js'
import type { RegisteredClientsStore } from '../clients/store.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import type { RegisterKeyDeps } from './register.js'
import type { KeyCodeGeneration, RegisteredKeysStore } from './store.js'

export interface WithdrawDeps extends GenerationDeps {
  readonly registeredClients: Pick<RegisteredClientsStore, 'get' | 'changing'>
}

interface GenerationDeps {
  readonly registeredKeys: Pick<RegisteredKeysStore, 'codeGenerations'>
  readonly random: Pick<Random, 'token'>
}

/** Withdraws all open codes of a client, and its registration access token. A code that is issued later is valid. */
export async function withdrawKeyCodes(
  deps: Pick<RegisterKeyDeps, 'registeredKeys' | 'random' | 'audit' | 'trustLog'> &
    OwnerDeps &
    WithdrawDeps & { readonly storage: Pick<Storage, 'commit'> },
  caller: Caller,
  clientId: ClientId,
): Promise<{ clientId: ClientId }> {
  const orgId = await requireOwner(deps, caller, clientId, 'revoke')
  const row = deps.audit.recording(auditDraft(caller, 'keys.withdrawCodes', { orgId, subject: clientId }))
  const { ok } = await deps.storage.commit([...(await withdrawing(deps, clientId)), row])
  if (!ok) refuse('conflict', 'the codes could not be withdrawn; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { clientId }
}

/** Operations that withdraw all open codes of a client, and its registration access token. They fail only if the client deletes itself meanwhile. */
export async function withdrawing(deps: WithdrawDeps, clientId: ClientId): Promise<readonly Operation[]> {
  await requireGeneration(deps, clientId)
  return [
    deps.registeredKeys.codeGenerations.changing(clientId, {}, { generation: deps.random.token(16) }),
    ...(await withdrawingRegistration(deps, clientId)),
  ]
}

/** Operations that make the registration access token of a client void, and its listed keys that are not proved yet. */
export const withdrawingRegistration = async (
  { registeredClients }: Pick<WithdrawDeps, 'registeredClients'>,
  clientId: ClientId,
): Promise<readonly Operation[]> =>
  (await registeredClients.get(clientId)) ? [registeredClients.changing(clientId, {}, { tokenHash: undefined })] : []

/** The present generation. Creates the document of the client's first one, so that the operations below can change it. */
export async function requireGeneration(
  { registeredKeys }: Pick<GenerationDeps, 'registeredKeys'>,
  clientId: ClientId,
): Promise<KeyCodeGeneration> {
  const { codeGenerations } = registeredKeys
  for (;;) {
    const found = await codeGenerations.get(clientId)
    if (found !== undefined) return found
    await codeGenerations.insert({ clientId })
  }
}

/** The operation that fails if the codes of this generation have been withdrawn, and withdraws them if `withdraws` is true. */
export const requiringGeneration = (
  { registeredKeys, random }: GenerationDeps,
  { clientId, generation }: KeyCodeGeneration,
  withdraws: boolean,
): Operation =>
  registeredKeys.codeGenerations.changing(
    clientId,
    { generation: generation ?? null },
    { generation: withdraws ? random.token(16) : generation },
  )
