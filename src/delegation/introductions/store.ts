import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, EntryId, IntroductionId, OrgId, TaskId } from '../../protocol/ids.js'
import { Bounds } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { begins, type Cache, newCache } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { GrantedIntroduction } from './decide/granted.js'

/**
 * The stored state. It does not say whether a granted introduction still stands; its handles do (see `stateOf`). `ended` only removes an
 * introduction that has ended from the indexes of granted ones.
 */
const State = z.enum(['pending', 'granted', 'denied', 'ended'])

/**
 * Why a request must be approved: the target's policy asks for every one (`policy`), the request exceeds the scopes that the policy grants
 * without approval (`scopes`), or it asks for the right to pass tokens on (`delegation`).
 */
const PendingReason = z.enum(['policy', 'scopes', 'delegation'])
export type PendingReason = z.infer<typeof PendingReason>

export const Introduction = z.strictObject({
  id: IntroductionId,
  from: AgentId,
  to: AgentId,
  fromOrg: OrgId,
  toOrg: OrgId,
  /** `<from> <to>`, for the index `pairGranted`. */
  pair: z.string().max(64),
  purpose: z.string().max(512),
  requested: Bounds,
  /** Ids of the skills that the requester depends on: the skills that it named, or all that it could see. */
  skills: z.array(z.string().max(256)).max(64),
  taskId: TaskId.optional(),
  /** Requested lifetime in seconds. */
  seconds: z.int(),
  state: State,
  /** Absent if the policy granted the request at once. */
  pendingBecause: z.array(PendingReason).max(3).optional(),
  /** Handle of kind `int:`. */
  handle: Handle,
  /** Version of the granted bounds, a handle of kind `ver:`. */
  boundsVersion: Handle,
  createdAt: z.int(),
  /** A request that is still pending at this time has expired. */
  pendingUntil: z.int(),
  /** The quota slot that a pending request occupies (`request-slots`). */
  slot: z.int().min(0).optional(),
  bounds: Bounds.optional(),
  /** Versions of the pinned parts of the target's card at the time of the grant. */
  pinnedVersions: z.array(Handle).max(65).optional(),
  /** Identities of both sides at the time of the grant. */
  dependsOn: z.array(Handle).max(64).optional(),
  /** Handles of the approver. If one is revoked as compromised, the introduction is revoked too. */
  grantedBy: z.array(Handle).max(16).optional(),
  grantedAt: z.int().optional(),
  expiresAt: z.int().optional(),
  note: z.string().max(512).optional(),
  /** Epoch seconds from which the record is purged: RETENTION_SECONDS after it was denied or revoked, or expires. */
  purgeAt: z.int().optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Introduction = z.infer<typeof Introduction>

/** A pending request occupies one of the MAX_PENDING slots of its requester until it is decided or expires. */
const RequestSlot = z.strictObject({
  /** `<from> <slot>`. */
  id: z.string().max(64),
  from: AgentId,
  slot: z.int().min(0),
  introductionId: IntroductionId,
  expiresAt: z.int(),
})
type RequestSlot = z.infer<typeof RequestSlot>

export interface IntroductionsStore extends Records<Introduction> {
  readonly requestSlots: Collection<RequestSlot>
  /** Granted introductions by pair. */
  readonly granted: Cache<readonly GrantedIntroduction[]>
}

export const INTRODUCTIONS: OwnedSpec<Introduction> = {
  name: 'introductions',
  schema: Introduction,
  key: 'id',
  indexes: {
    pairGranted: { fields: ['pair', 'state', 'expiresAt'] },
    fromGranted: { fields: ['from', 'state', 'expiresAt'] },
    from: { fields: ['from', 'createdAt'] },
    to: { fields: ['to', 'createdAt'] },
    fromOrg: { fields: ['fromOrg', 'createdAt'] },
    toOrg: { fields: ['toOrg', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'grantedAt'] },
  },
  expires: 'purgeAt',
  ownedBy: ['fromOrg', 'toOrg'],
}

export const REQUEST_SLOTS: OwnedSpec<RequestSlot> = {
  name: 'request-slots',
  schema: RequestSlot,
  key: 'id',
  indexes: { from: { fields: ['from', 'slot'] } },
  expires: 'expiresAt',
  ownedBy: ['from'],
}

export function introductionsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): IntroductionsStore {
  const records = newRecords(
    deps,
    deps.storage.collection(INTRODUCTIONS),
    // A grant ends no version of the pending request: concurrent readers still find it pending.
    { kind: 'introductions', versions: () => [] },
  )
  const requestSlots = deps.storage.collection(REQUEST_SLOTS)
  return { ...records, requestSlots, granted: newCache(deps.trustLog, (entry) => begins(entry, 'int')) }
}
