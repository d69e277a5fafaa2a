import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { AgentId, IntroductionId, OrgId, TargetId, TaskId } from '../../protocol/ids.js'
import { Bounds } from '../../protocol/rights.js'
import { CardInterface, GrantedReliance } from '../../registry/cards/reliance/reliance.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { GrantedIntroduction } from './decide/granted.js'

/**
 * The stored state. It does not say whether a granted introduction still stands; its handles do (see `stateOf`). `ended` only removes an
 * introduction that has ended from the indexes of granted ones.
 */
const State = z.enum(['pending', 'granted', 'denied', 'ended'])

/**
 * Why a request must be approved: the target's policy asks for every one (`policy`), the request exceeds the scopes that the policy grants
 * without approval (`scopes`), it asks for delegation (`delegation`), or it asks for a capability (`capability`).
 */
const PendingReason = z.enum(['policy', 'scopes', 'delegation', 'capability'])
export type PendingReason = z.infer<typeof PendingReason>

export const Introduction = z.strictObject({
  id: IntroductionId,
  from: AgentId,
  to: TargetId,
  fromOrg: OrgId,
  toOrg: OrgId,
  /** `<from> <to>`, for the index `pairGranted`. */
  pair: z.string().max(64),
  purpose: z.string().max(512),
  /** The capability for which the requester asked in place of this target. */
  capability: z.string().min(1).max(256).optional(),
  requested: Bounds,
  /** The interface that the requester calls, if it named one. */
  interface: CardInterface.optional(),
  /** Ids of the skills that the requester relies on: those that it named. */
  skills: z.array(z.string().max(256)).max(256),
  taskId: TaskId.optional(),
  /** Requested lifetime in seconds. */
  seconds: z.int(),
  state: State,
  /** The first token request created it, at an open resource. */
  byFirstRequest: z.literal(true).optional(),
  /** Absent if the policy granted the request at once. */
  pendingBecause: z.array(PendingReason).max(4).optional(),
  /** Handle of kind `int:`. */
  handle: Handle,
  /** Version of the granted bounds, a handle of kind `ver:`. */
  boundsVersion: Handle,
  createdAt: z.int(),
  /** Counts the changes that both sides are notified of, and the time of the last one. */
  revision: z.int().min(0),
  changedAt: z.int(),
  /** A request that is still pending at this time has expired. */
  pendingUntil: z.int(),
  /** The quota slot that a pending request occupies (`request-slots`). */
  slot: z.int().min(0).optional(),
  bounds: Bounds.optional(),
  reliance: GrantedReliance.optional(),
  /** Epoch seconds at which both sides were last notified that the introduction needs another approval. */
  notifiedAt: z.int().optional(),
  /** Identities of both sides at the time of the grant, and the handles that the task depends on. */
  dependsOn: z.array(Handle).max(128).optional(),
  /** Handles of the approver, or of the member whose request the policy granted. If one is revoked as compromised, the introduction is revoked too. */
  grantedBy: z.array(Handle).max(16).optional(),
  grantedAt: z.int().optional(),
  expiresAt: z.int().optional(),
  note: z.string().max(512).optional(),
  /** Epoch seconds from which the record is purged: RETENTION_SECONDS after it was denied or revoked, or expires. */
  purgeAt: z.int().optional(),
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

export interface IntroductionsStore extends Collection<Introduction> {
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
    toGranted: { fields: ['to', 'state', 'expiresAt'] },
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

export const introductionsStore = ({ storage, trustLog }: { storage: Storage; trustLog: TrustLog }): IntroductionsStore => ({
  ...storage.collection(INTRODUCTIONS),
  requestSlots: storage.collection(REQUEST_SLOTS),
  granted: newCache(trustLog, ({ type }) => type === 'introduction.granted'),
})
