import { z } from 'zod'
import { REFUSALS, type Reason } from '../errors.js'
import { EndNote, EndReason } from '../protocol/end-reason.js'
import { Handle } from '../protocol/handles.js'
import { ActorId, ClientId, OrgId, TaskId, TokenId } from '../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../storage/storage.js'

const Reasons = Object.keys(REFUSALS) as [Reason, ...Reason[]] // the keys of REFUSALS are exactly the reasons

/** A key that was compromised ends everything that it has granted. */
const MAX_HANDLES = 1_000_000

export const AuditRow = z.strictObject({
  id: z.string().max(64),
  /** The instance that wrote the row, and the row's number there. A gap in the numbers is a commit that failed. */
  writer: z.string().max(64),
  number: z.int().min(0),
  createdAt: z.int().min(0),
  /** The organisations whose administrators may read the row. */
  orgIds: z.array(OrgId).min(1).max(2),
  actor: ActorId,
  action: z.string().max(64),
  outcome: z.enum(['done', 'refused']),
  reason: z.enum(Reasons).optional(),
  subject: z.string().max(128).optional(),
  tokenId: TokenId.optional(),
  taskId: TaskId.optional(),
  /** If the action ended something: why. */
  endReason: EndReason.optional(),
  /** Digest of the handles that it ended (`audit-endings`). */
  endsDigest: z.string().length(43).optional(),
  note: EndNote.optional(),
  facts: z.record(z.string().max(64), z.union([z.string().max(512), z.number(), z.boolean()])).optional(),
})
export type AuditRow = z.infer<typeof AuditRow>

/** The handles that the action of an audit row has ended. */
const AuditEndedHandles = z.strictObject({
  /** The id of the row. */
  id: z.string().max(64),
  orgIds: AuditRow.shape.orgIds,
  handles: z.array(Handle).max(MAX_HANDLES),
  createdAt: z.int().min(0),
})
type AuditEndedHandles = z.infer<typeof AuditEndedHandles>

/** The rest of a row that retention has removed: its link covers these facts and the digest of the row. */
export const RemovedRow = AuditRow.pick({ number: true, createdAt: true, orgIds: true }).extend({ digest: z.string().length(43) })
export type RemovedRow = z.infer<typeof RemovedRow>

/** A link of a writer's hash chain. It covers a range of row numbers, and names the hash of the previous link. */
export const AuditLink = z.strictObject({
  id: z.string().max(96),
  writer: z.string().max(64),
  number: z.int().min(0),
  /** Covers the rows numbered `from` to `to`, inclusive. `count` of these numbers have a row. */
  from: z.int().min(0),
  to: z.int().min(0),
  count: z.int().min(0),
  digest: z.string().length(43),
  /** Empty in the first link. */
  previousHash: z.string().max(43),
  hash: z.string().length(43),
  /** Set until an anchor covers the link. Not covered by the hash. */
  isUnanchored: z.literal(true).optional(),
  /** Set until the uses in its rows are counted (delegation/uses). Not covered by the hash. */
  isUncounted: z.literal(true).optional(),
  /** The rows that retention has removed. Their digests are part of `digest`. */
  removed: z.array(RemovedRow).max(500).optional(),
  /** The length of `removed`, for guards. */
  removedCount: z.int().min(1).optional(),
})
export type AuditLink = z.infer<typeof AuditLink>

/** The newest links of some writers, whose digest is in the trust log. */
export const AuditAnchor = z.strictObject({
  /** `<epoch> <number>`. */
  id: z.string().max(64),
  epoch: Handle,
  number: z.int().min(0),
  heads: z
    .array(z.strictObject({ writer: z.string().max(64), link: z.int().min(0), hash: z.string().length(43) }))
    .min(1)
    .max(10_000),
  /** The clock of the instance that anchored. Absent in documents of earlier builds. */
  createdAt: z.int().min(0).optional(),
})
export type AuditAnchor = z.infer<typeof AuditAnchor>

/** The lease of an instance that writes audit rows. */
const AuditWriter = z.strictObject({
  id: z.string().max(64),
  /** When the instance last renewed its lease. */
  lastSeen: z.int(),
  /** No row with an earlier `createdAt` is still to be committed by this instance. Absent in documents of earlier builds. */
  settledUntil: z.int().optional(),
  /** Set while the instance may have rows that no link covers. */
  hasUnlinkedRows: z.literal(true).optional(),
})
type AuditWriter = z.infer<typeof AuditWriter>

/** How long the rows of an organisation are kept. Without `days`, for ever. */
export const AuditRetention = z.strictObject({
  orgId: OrgId,
  /** Set by an administrator of the organisation. */
  days: z.int().min(1).optional(),
  /** Set by an operator: the rows are kept at least that long. */
  minimumDays: z.int().min(1).optional(),
  /** The client that set `days` last. */
  setBy: ClientId.optional(),
  /** Counts the settings of the organisation in an epoch of the log. The id of the setting's log entry follows from both. Absent in documents of earlier builds. */
  epoch: Handle.optional(),
  number: z.int().min(0).optional(),
  /** Earlier settings have allowed the removal of rows that were created before. */
  removableBefore: z.int().optional(),
  /** Salt of the digest in the log entry, which outsiders can read. */
  salt: z.string().max(22).optional(),
  /** Only in documents of earlier builds. */
  removedBefore: z.int().optional(),
  /** The last row that was examined. */
  position: z.strictObject({ createdAt: z.int(), id: z.string().max(64) }).optional(),
})
export type AuditRetention = z.infer<typeof AuditRetention>

export interface AuditStore {
  readonly retention: Collection<AuditRetention>
  readonly rows: Collection<AuditRow>
  readonly endedHandles: Collection<AuditEndedHandles>
  readonly links: Collection<AuditLink>
  readonly anchors: Collection<AuditAnchor>
  readonly writers: Collection<AuditWriter>
}

export const AUDIT_ROWS: OwnedSpec<AuditRow> = {
  name: 'audit-rows',
  schema: AuditRow,
  key: 'id',
  indexes: {
    organisation: { fields: ['orgIds', 'createdAt'] },
    // An index for each filter of audit.list
    tokenId: { fields: ['orgIds', 'tokenId', 'createdAt'] },
    taskId: { fields: ['orgIds', 'taskId', 'createdAt'] },
    subject: { fields: ['orgIds', 'subject', 'createdAt'] },
    actor: { fields: ['orgIds', 'actor', 'createdAt'] },
    action: { fields: ['orgIds', 'action', 'createdAt'] },
    outcome: { fields: ['orgIds', 'outcome', 'createdAt'] },
    writer: { fields: ['writer', 'number'] },
  },
  ownedBy: ['orgIds'],
}

export const AUDIT_ENDINGS: OwnedSpec<AuditEndedHandles> = {
  name: 'audit-endings',
  schema: AuditEndedHandles,
  key: 'id',
  indexes: { handles: { fields: ['handles', 'createdAt'] } },
  ownedBy: ['orgIds'],
}

export const AUDIT_LINKS: OwnedSpec<AuditLink> = {
  name: 'audit-links',
  schema: AuditLink,
  key: 'id',
  indexes: {
    writer: { fields: ['writer', 'number'] },
    unanchored: { fields: ['isUnanchored', 'number'] },
    uncounted: { fields: ['isUncounted', 'number'] },
  },
  ownedBy: 'registry',
}

export const AUDIT_ANCHORS: OwnedSpec<AuditAnchor> = {
  name: 'audit-anchors',
  schema: AuditAnchor,
  key: 'id',
  indexes: { number: { fields: ['epoch', 'number'] } },
  ownedBy: 'registry',
}

export const AUDIT_WRITERS: OwnedSpec<AuditWriter> = {
  name: 'audit-writers',
  schema: AuditWriter,
  key: 'id',
  indexes: { unlinked: { fields: ['hasUnlinkedRows', 'lastSeen'] } },
  ownedBy: 'registry',
}

export const AUDIT_RETENTION: OwnedSpec<AuditRetention> = {
  name: 'audit-retention',
  schema: AuditRetention,
  key: 'orgId',
  indexes: { organisation: { fields: ['orgId'] } },
  ownedBy: ['orgId'],
}

export const auditStore = (storage: Pick<Storage, 'collection'>): AuditStore => ({
  retention: storage.collection(AUDIT_RETENTION),
  rows: storage.collection(AUDIT_ROWS),
  endedHandles: storage.collection(AUDIT_ENDINGS),
  links: storage.collection(AUDIT_LINKS),
  anchors: storage.collection(AUDIT_ANCHORS),
  writers: storage.collection(AUDIT_WRITERS),
})
