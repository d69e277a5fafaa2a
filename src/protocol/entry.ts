import { z } from 'zod'
import { Handle } from './handles.js'
import { EntryId } from './ids.js'

/** One handle that ends. After `horizon` (epoch seconds) nothing that stands on it can be valid, so it may be forgotten. */
export const Ending = z.strictObject({ handle: Handle, horizon: z.int().min(0).optional() })
export type Ending = z.infer<typeof Ending>

/** Of one entry, and of one message of the feed. */
export const MAX_ENDINGS = 10_000
/** What was handed in together (64 entries at most), 500 times. */
const MAX_BLOCK_ENTRIES = 32_000

export const ENTRY_TYPES = [
  'epoch.started',
  'registry-key.began',
  'registry-key.retired',
  'registry-key.ended',
  'organisation.created',
  'organisation.ended',
  'member.enrolled',
  'member.ended',
  'key.enrolled',
  'key.retired',
  'key.ended',
  'key.compromised',
  'agent.registered',
  'agent.suspended',
  'agent.reinstated',
  'agent.ended',
  'record.changed',
  'half.dropped',
  'card.published',
  'card.ended',
  'introduction.granted',
  'introduction.ended',
  'task.created',
  'task.ended',
  'token.ended',
  'log.sealed',
  'log.continued',
] as const
export const EntryType = z.enum(ENTRY_TYPES)
export type EntryType = z.infer<typeof EntryType>

/** What a writer hands in; the log adds `seq` and `time`. Nothing private stands in an entry: details are a salted digest. */
export const Proposal = z.strictObject({
  id: EntryId,
  type: EntryType,
  ends: z.array(Ending).max(MAX_ENDINGS),
  /** A card begins a version for each of its skills (at most 256) and one more. */
  begins: z.array(Handle).max(512).optional(),
  /** Left out where the entry of this id stands. */
  unless: EntryId.optional(),
  /** base64url SHA-256 of details that stand elsewhere, salted. */
  digest: z.string().max(64).optional(),
})
export type Proposal = z.infer<typeof Proposal>

export const Entry = Proposal.extend({ seq: z.int().min(0), time: z.int().min(0) })
export type Entry = z.infer<typeof Entry>

/** All entries that were written together: atomic, numbered without holes, under a unique `n`. */
export const Block = z.strictObject({
  n: z.int().min(0),
  epoch: Handle,
  /** `seq` of the first entry. */
  first: z.int().min(0),
  writer: z.string().max(64),
  entries: z.array(Entry).min(1).max(MAX_BLOCK_ENTRIES),
  /** Hashes (base64url) of the perfect subtrees of the epoch's tree after this block, largest first (RFC 6962 §2.1). */
  frontier: z.array(z.string().max(43)).max(64),
  /** Entries of this epoch after this block. */
  size: z.int().min(1),
})
export type Block = z.infer<typeof Block>

/** A place in the log: everything up to and with entry `seq` of `epoch` is applied. */
export const Position = z
  .string()
  .regex(/^epo:[A-Za-z0-9_-]{22}\.\d{1,15}$/)
  .brand<'Position'>()
export type Position = z.infer<typeof Position>

export const positionOf = (epoch: Handle, seq: number): Position => Position.parse(`${epoch}.${seq}`)
export function parsePosition(position: Position): { epoch: Handle; seq: number } {
  const dot = position.lastIndexOf('.')
  return { epoch: Handle.parse(position.slice(0, dot)), seq: Number(position.slice(dot + 1)) }
}
