import { z } from 'zod'
import { ApprovalReasons, TokenRequest } from '../../protocol/approvals/token-request.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, ApprovalId, Audience, ClientId, MemberId, OrgId, TargetId, TaskId } from '../../protocol/ids.js'
import { Bounds, MAX_NAMES, Scope } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { ConsentClientId } from '../consents/store.js'

/** Risk of the requested token when the approval was requested, as in delegation/uses/risk.ts. */
const StoredRisk = z.strictObject({
  level: z.enum(['low', 'medium', 'high', 'unknown']),
  score: z.int().min(0).max(100).nullable(),
  parts: z.array(z.strictObject({ code: z.string().max(64), weight: z.int() })).max(16),
})

/** Shown to the requester: why it was denied or withdrawn. */
export const Note = z.string().max(512, 'must have at most 512 characters')

/** Maximum number of audiences of one consent. */
const MAX_AUDIENCES = 8

/** A consent that a person wants to give a client, for which its organisation requires an administrator. */
const ConsentRequest = z.strictObject({
  clientId: ConsentClientId,
  /** The name that the client gives itself. */
  clientName: z.string().max(512),
  rights: z
    .array(z.strictObject({ audience: Audience, bounds: Bounds }))
    .min(1)
    .max(MAX_AUDIENCES),
  taskId: TaskId.optional(),
})
export type ConsentRequest = z.infer<typeof ConsentRequest>

/**
 * An approval of one token, or of the consent of a person: it is requested, decided, and taken once by the request that it is good for. The requester of
 * an approval of a consent is the person, and its target their organisation.
 */
export const Approval = z.strictObject({
  id: ApprovalId,
  from: z.union([AgentId, MemberId]),
  fromOrg: OrgId,
  to: z.union([TargetId, OrgId]),
  toOrg: OrgId,
  because: ApprovalReasons,
  /** The token request that was refused, or the consent. */
  request: z.union([TokenRequest, ConsentRequest]),
  /** The bounds that the approver has granted, if narrower than the requested ones. */
  narrowed: Bounds.optional(),
  /** Digest of the request that may take the approval: of a token request with the narrowed bounds, if there are any. */
  digest: z.string().length(43),
  purpose: z.string().max(512),
  /** The resource's own prose about the scopes when the approval was requested; for a consent, that of each audience. */
  words: z
    .array(z.strictObject({ audience: Audience.optional(), scope: Scope, words: z.string().max(256) }))
    .max(MAX_AUDIENCES * MAX_NAMES),
  risk: StoredRisk,
  /** `approval.ts` derives the state that callers see: time and endings change no record. */
  state: z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'used']),
  /** The quota slot of its requester that a pending approval occupies. */
  slot: z.int().min(0).optional(),
  /** Identities of the requester, later also of the approver; and the epoch. The approval is void if one of them ends. */
  dependsOn: z.array(Handle).max(64),
  /** Counts the changes that are notified, and the time of the last one. */
  revision: z.int().min(0),
  changedAt: z.int(),
  createdAt: z.int(),
  /** An approval that is pending at this time, or that was not used until then, has expired. */
  expiresAt: z.int(),
  decidedBy: ClientId.optional(),
  note: Note.optional(),
  /** The HTTP request that took it. */
  usedBy: z.string().max(64).optional(),
  purgeAt: z.int(),
})
export type Approval = z.infer<typeof Approval>

export const isForConsent = (request: TokenRequest | ConsentRequest): request is ConsentRequest => 'rights' in request

export type ApprovalsStore = Collection<Approval>

export const APPROVALS: OwnedSpec<Approval> = {
  name: 'approvals',
  schema: Approval,
  key: 'id',
  indexes: {
    from: { fields: ['from', 'createdAt'] },
    to: { fields: ['to', 'createdAt'] },
    fromOrg: { fields: ['fromOrg', 'createdAt'] },
    toOrg: { fields: ['toOrg', 'createdAt'] },
    pending: { fields: ['from', 'state', 'createdAt'] },
    slot: { fields: ['from', 'slot'], unique: true },
  },
  expires: 'purgeAt',
  ownedBy: ['fromOrg', 'toOrg'],
}

export const approvalsStore = ({ storage }: { readonly storage: Storage }): ApprovalsStore => storage.collection(APPROVALS)
