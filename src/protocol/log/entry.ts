import { z } from 'zod'
import { Handle } from '../handles.js'
import { EntryId } from '../ids.js'

// What a newer build writes is read by an older one beside it, and by clients and verifiers of any age: kinds of entries and handles that
// it does not know count like all others, and members that it does not know are kept, for the hash of an entry is over all of it.

const KnownEnding = z.object({ handle: Handle, horizon: z.int().min(0).optional() })
/** One handle that ends. After `horizon` (epoch seconds) nothing that stands on it can be valid, so it may be forgotten. */
export const Ending: z.ZodType<Ending> = KnownEnding.loose()
export type Ending = z.infer<typeof KnownEnding>

/** Of one entry, and of one message of the feed. */
export const MAX_ENDINGS = 10_000
/** What was handed in together (64 entries at most), 500 times. */
const MAX_BLOCK_ENTRIES = 32_000

/** What this build writes. */
export const ENTRY_TYPES = [
  'epoch.started',
  'registry-key.began',
  'registry-key.retired',
  'registry-key.ended',
  'organisation.created',
  'organisation.ended',
  'member.registered',
  'member.ended',
  'key.registered',
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
export type EntryType = (typeof ENTRY_TYPES)[number]

const KnownProposal = z.object({
  id: EntryId,
  /** One of ENTRY_TYPES, or a newer build's. */
  type: z
    .string()
    .max(64)
    .regex(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/),
  ends: z.array(Ending).max(MAX_ENDINGS),
  /** A card begins a version for each of its skills (at most 256) and one more. */
  begins: z.array(Handle).max(512).optional(),
  /** Left out where the entry of this id stands. */
  unless: EntryId.optional(),
  /** base64url SHA-256 of details that stand elsewhere, salted. */
  digest: z.string().max(64).optional(),
})
/** What a writer hands in; the log adds `seq` and `time`. Nothing private stands in an entry: details are a salted digest. */
export const Proposal: z.ZodType<Proposal> = KnownProposal.loose()
export type Proposal = z.infer<typeof KnownProposal>

const KnownEntry = KnownProposal.extend({ seq: z.int().min(0), time: z.int().min(0) })
export const Entry: z.ZodType<Entry> = KnownEntry.loose()
export type Entry = z.infer<typeof KnownEntry>

const KnownBlock = z.object({
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
/** All entries that were written together: atomic, numbered without holes, under a unique `n`. */
export const Block: z.ZodType<Block> = KnownBlock.loose()
export type Block = z.infer<typeof KnownBlock>

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
