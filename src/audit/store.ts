import { z } from 'zod'
import { REFUSALS, type Reason } from '../errors.js'
import { ClientId, OrgId, TaskId, TokenId } from '../protocol/ids.js'
import type { Collection, Storage } from '../storage/storage.js'

const Reasons = Object.keys(REFUSALS) as [Reason, ...Reason[]] // the keys of the table are its reasons

export const AuditRow = z.strictObject({
  id: z.string().max(64),
  /** The instance that wrote it, and its number there: gaps are commits that failed. */
  writer: z.string().max(64),
  n: z.int().min(0),
  at: z.int().min(0),
  /** Whose administrators may read it. */
  orgs: z.array(OrgId).min(1).max(2),
  actor: ClientId,
  action: z.string().max(64),
  outcome: z.enum(['done', 'refused']),
  reason: z.enum(Reasons).optional(),
  subject: z.string().max(128).optional(),
  tokenId: TokenId.optional(),
  taskId: TaskId.optional(),
  facts: z.record(z.string().max(64), z.union([z.string().max(512), z.number(), z.boolean()])).optional(),
})
export type AuditRow = z.infer<typeof AuditRow>

/** A link of a writer's chain: what it covers, and the link before it. */
export const AuditLink = z.strictObject({
  id: z.string().max(96),
  writer: z.string().max(64),
  k: z.int().min(0),
  /** Covers the rows numbered `from` to `to`, of which there are `count`. */
  from: z.int().min(0),
  to: z.int().min(0),
  count: z.int().min(0),
  digest: z.string().length(43),
  prev: z.string().max(43),
  hash: z.string().length(43),
})
export type AuditLink = z.infer<typeof AuditLink>

/** A writer, and when it said last that it lives; `open` while it may have rows that no link covers yet. */
export const AuditWriter = z.strictObject({ id: z.string().max(64), at: z.int(), open: z.literal(true).optional() })
export type AuditWriter = z.infer<typeof AuditWriter>

export interface AuditStore {
  readonly rows: Collection<AuditRow>
  readonly links: Collection<AuditLink>
  readonly writers: Collection<AuditWriter>
}

export const auditStore = (storage: Storage): AuditStore => ({
  rows: storage.collection<AuditRow>({
    name: 'audit-rows',
    schema: AuditRow,
    key: 'id',
    indexes: { organisation: { fields: ['orgs', 'at'] }, writer: { fields: ['writer', 'n'] } },
  }),
  links: storage.collection<AuditLink>({
    name: 'audit-links',
    schema: AuditLink,
    key: 'id',
    indexes: { writer: { fields: ['writer', 'k'] } },
  }),
  writers: storage.collection<AuditWriter>({
    name: 'audit-writers',
    schema: AuditWriter,
    key: 'id',
    indexes: { open: { fields: ['open', 'at'] } },
  }),
})
