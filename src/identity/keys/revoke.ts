import type { Audit, AuditDraft } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import { AgentId, ClientId, MemberId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import type { Operation, Storage } from '../../storage/storage.js'
import type { ServedTrustLog, TrustLog } from '../../trust-log/trust-log.js'
import type { AgentsStore } from '../agents/store.js'
import { requireRegisteredKey } from './authority.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'
import { type WithdrawDeps, withdrawing } from './withdraw-codes.js'

export interface RevokeKeyDeps extends Pick<WithdrawDeps, 'registeredClients'> {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: TrustLog & Pick<ServedTrustLog, 'find'>
  readonly audit: Audit
  readonly storage: Pick<Storage, 'commit'>
  readonly random: Pick<Random, 'token'>
  readonly agents: Pick<AgentsStore, 'cardsToIndex'>
  /**
   * Endings of everything that an identity granted at or after `since`: organisations, members, registered keys, agents, tasks,
   * introductions.
   */
  readonly grantedBy: (handle: Handle, since: number) => Promise<readonly Ending[]>
}

/** A registered key, or a passkey of a member. */
export type OwnedKey = Pick<RegisteredKey, 'id' | 'handle' | 'owner' | 'orgId'>

/** Revokes a key immediately, with every token that it authenticated. */
export async function revokeKey(
  deps: RevokeKeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  requireNotEnded(deps, registeredKey)
  const ends = [{ handle: registeredKey.handle }]
  const draft = keyAuditDraft(caller, 'keys.revoke', registeredKey)
  const operations = [
    ...indexingCardsOf(deps, registeredKey),
    ...(because.reason === 'compromised' ? await withdrawingForOwner(deps, registeredKey) : []),
    ...deps.audit.recordingEnd(draft, { ends, ...because }),
  ]
  return deps.trustLog.end({ type: 'key.revoked', ends, operations })
}

/** Operations for a commit that ends a compromised key: its thief may have read the open codes and the registration access token of its owner. */
export async function withdrawingForOwner(deps: WithdrawDeps, { owner }: Pick<OwnedKey, 'owner'>): Promise<readonly Operation[]> {
  const clientId = ClientId.safeParse(owner).data
  return clientId === undefined ? [] : withdrawing(deps, clientId)
}

/** Operations for a commit that ends a key: cards that it may have signed are indexed again. The keys of members sign none. */
export const indexingCardsOf = (deps: IndexingDeps, key: RegisteredKey): readonly Operation[] =>
  MemberId.safeParse(key.owner).success ? [] : [indexingCardsBelow(deps, key)]

/** The cards of the key's agent and of the agents below it, or of the organisation. */
export function indexingCardsBelow({ agents, random, trustLog }: IndexingDeps, { owner, orgId }: OwnedKey): Operation {
  const agentId = AgentId.safeParse(owner).data
  return agents.cardsToIndex.inserting({ id: newHandle(random, 'ver'), ...(agentId && { agentId }), orgId, createdAt: trustLog.now() })
}

type IndexingDeps = Pick<RevokeKeyDeps, 'agents' | 'random'> & { readonly trustLog: Pick<TrustLog, 'now'> }

export function requireNotEnded({ trustLog }: Pick<RevokeKeyDeps, 'trustLog'>, { handle }: RegisteredKey): void {
  if (trustLog.ended.has(handle)) refuse('already_revoked', 'the key was revoked')
}

export const keyAuditDraft = (caller: Caller, action: string, { orgId, id }: OwnedKey): AuditDraft =>
  auditDraft(caller, action, { orgId, subject: id })
