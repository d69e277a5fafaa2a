// Open one-time codes of a client are withdrawn by one write, however many there are: each code counts only in the generation of the client's codes in
// which it was issued, and a new generation makes all of them void.
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { ClientId } from '../../protocol/ids.js'
import type { Operation, Storage } from '../../storage/storage.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import type { RegisterKeyDeps } from './register.js'
import type { KeyCodeGeneration, RegisteredKeysStore } from './store.js'

interface GenerationDeps {
  readonly registeredKeys: Pick<RegisteredKeysStore, 'codeGenerations'>
  readonly random: Pick<Random, 'token'>
}

/** Withdraws all open codes of a client. A code that is issued later is valid. */
export async function withdrawKeyCodes(
  deps: Pick<RegisterKeyDeps, 'registeredKeys' | 'random' | 'audit' | 'trustLog'> &
    OwnerDeps & { readonly storage: Pick<Storage, 'commit'> },
  caller: Caller,
  clientId: ClientId,
): Promise<{ clientId: ClientId }> {
  const orgId = await requireOwner(deps, caller, clientId, 'revoke')
  const row = deps.audit.recording(auditDraft(caller, 'keys.withdrawCodes', { orgId, subject: clientId }))
  const { ok } = await deps.storage.commit([await withdrawingCodes(deps, clientId), row])
  if (!ok) refuse('conflict', 'the codes could not be withdrawn; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { clientId }
}

/** The operation that withdraws all open codes of a client. It does not fail, whatever is written at the same time. */
export async function withdrawingCodes(deps: GenerationDeps, clientId: ClientId): Promise<Operation> {
  await requireGeneration(deps, clientId)
  return deps.registeredKeys.codeGenerations.changing(clientId, {}, { generation: deps.random.token(16) })
}

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
