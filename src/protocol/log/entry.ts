import { z } from 'zod'
import { Handle } from '../handles.js'
import { EntryId } from '../ids.js'

// Older instances, clients and verifiers read entries that a newer build has written. So unknown entry types and handle kinds are processed
// like known ones, and unknown members are kept, because the hash of an entry covers all its members.

const KnownEnding = z.object({ handle: Handle, horizon: z.int().min(0).optional() })
/** A handle that ends. After `horizon` (epoch seconds) nothing that depends on the handle can be valid, so readers may forget it. */
export const Ending: z.ZodType<Ending> = KnownEnding.loose()
export type Ending = z.infer<typeof KnownEnding>

/** Maximum number of endings in one entry, and in one message of the feed. */
export const MAX_ENDINGS = 10_000
const MAX_BLOCK_ENTRIES = 32_000

/** The entry types that this build writes. */
export const ENTRY_TYPES = [
  'epoch.started',
  'signing-key.created',
  'signing-key.retired',
  'signing-key.revoked',
  'organisation.created',
  'organisation.revoked',
  'member.registered',
  'member.revoked',
  'key.registered',
  'key.retired',
  'key.revoked',
  'key.compromised',
  'agent.registered',
  'agent.suspended',
  'agent.reinstated',
  'agent.revoked',
  'client.registered',
  'client.revoked',
  'record.changed',
  'card.published',
  'card.unpublished',
  'card.yanked',
  'introduction.granted',
  'introduction.revoked',
  'consent.granted',
  'consent.revoked',
  'family.revoked',
  'task.created',
  'task.ended',
  'token.revoked',
  'audit.anchored',
  'log.frozen',
  'log.resumed',
] as const
export type EntryType = (typeof ENTRY_TYPES)[number]

const KnownProposal = z.object({
  id: EntryId,
  /** One of ENTRY_TYPES, or a type that only a newer build knows. */
  type: z
    .string()
    .max(64)
    .regex(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/),
  ends: z.array(Ending).max(MAX_ENDINGS),
  /** Salted base64url SHA-256 of details that are stored outside the log. */
  digest: z.string().max(64).optional(),
})
/** An entry as a writer submits it; the log adds `seq` and `time`. Entries are public, so private details appear only as a salted digest. */
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
  /** Number of entries of this epoch up to and including this block. */
  size: z.int().min(1),
})
/** The epoch that an entry of type `epoch.started` begins: its handle has the random part of the entry's id. */
export const epochStartedBy = ({ id }: Pick<Entry, 'id'>): Handle => Handle.parse(`epo:${id.slice('ent_'.length)}`)

/** The entries of one atomic write. Blocks are numbered by a unique `n` without gaps. */
export const Block: z.ZodType<Block> = KnownBlock.loose()
export type Block = z.infer<typeof KnownBlock>

/** A position in the log (`<epoch>.<seq>`): all entries up to and including `seq` of this epoch are applied. */
export const Position = z
  .string()
  .regex(/^epo:[A-Za-z0-9_-]{22}\.\d{1,15}$/, 'not a log position (epo: + 22 characters + "." + number)')
  .brand<'Position'>()
export type Position = z.infer<typeof Position>

export const positionOf = (epoch: Handle, seq: number): Position => Position.parse(`${epoch}.${seq}`)
export function parsePosition(position: Position): { epoch: Handle; seq: number } {
  const dot = position.lastIndexOf('.')
  return { epoch: Handle.parse(position.slice(0, dot)), seq: Number(position.slice(dot + 1)) }
}
