// Messages of the revocation feed: `GET /revocations`, WebSocket subprotocol `a2a-revocation.v1+json`, one JSON object per text frame.
// The client subscribes from its last applied position, and the server sends all later endings in order; `prev` reveals a gap.
// A client message has at most MAX_FRAME_BYTES, a server message at most MAX_ENDINGS endings (about 0.7 MB).
import { z } from 'zod'
import { quickParse } from '../../lib/quick-parse.js'
import { Handle } from '../handles.js'
import { Ending, MAX_ENDINGS, Position } from './entry.js'

export const FEED_PROTOCOL = 'a2a-revocation.v1+json'
/** Browsers cannot set headers on a WebSocket, so they offer their one-time ticket as a second subprotocol with this prefix. */
export const TICKET_PREFIX = 'ticket.'
export const MAX_FRAME_BYTES = 65_536
/** A subscriber that is further behind gets `snapshot_required`, because the snapshot is smaller than the missed entries. */
export const MAX_REPLAY_ENTRIES = 10_000

/** base64url leaf hash of the last applied entry. It shows whether client and server have read the same history. */
const LeafHash = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not a leaf hash (43 base64url characters)')
const Seq = z.int().min(-1)

/** The last applied position of a subscriber. */
export const FeedPosition = z.object({ position: Position, hash: LeafHash })
export type FeedPosition = z.infer<typeof FeedPosition>

export const ClientMessage = z.discriminatedUnion('type', [
  /** Without `from` the server sends a snapshot; clients omit it at first and after `reset` or `snapshot_required`. */
  z.strictObject({ type: z.literal('subscribe'), from: FeedPosition.optional() }),
  /** Requests a read barrier. The server reads the log, sends all new endings to this subscriber, and then answers `synced`. */
  z.strictObject({ type: z.literal('sync'), n: z.int().min(0) }),
  z.strictObject({ type: z.literal('ack'), position: Position }),
  /** Presents a new token of the same client before the old one expires. */
  z.strictObject({ type: z.literal('authenticate'), token: z.string().max(8192), proof: z.string().max(8192) }),
])
export type ClientMessage = z.infer<typeof ClientMessage>

export const ServerMessage = z.discriminatedUnion('type', [
  /** The first message. The client must send `authenticate` before `expiresAt` (epoch seconds). */
  z.object({ type: z.literal('hello'), version: z.literal(1), registry: z.string().max(256), head: FeedPosition, expiresAt: z.int() }),
  /** All endings after entry `prev` up to entry `last`, whose leaf hash is `hash`. `ended` is often empty, since few entries end a handle. */
  z.object({
    type: z.literal('events'),
    epoch: Handle,
    prev: Seq,
    last: z.int().min(0),
    time: z.int(),
    hash: LeafHash,
    ended: z.array(Ending).max(MAX_ENDINGS),
  }),
  /** Endings that do not fit into the next `events` message. The client buffers them and applies them together with that message. */
  z.object({ type: z.literal('ended'), ended: z.array(Ending) }),
  /** The ended set as of the position `asOf`, in `parts` messages numbered from 0. The client merges each and adopts `asOf` after the last. */
  z.object({
    type: z.literal('snapshot'),
    part: z.int().min(0),
    parts: z.int().min(1),
    asOf: FeedPosition,
    time: z.int(),
    ended: z.array(Ending).max(MAX_ENDINGS),
  }),
  z.object({ type: z.literal('synced'), n: z.int().min(0), head: FeedPosition }),
  /** `from` is more than MAX_REPLAY_ENTRIES behind. The client subscribes again without `from`. */
  z.object({ type: z.literal('snapshot_required') }),
  /** `from` belongs to another history. The client subscribes again without `from` and keeps every ended handle. */
  z.object({ type: z.literal('reset'), reason: z.enum(['unknown_epoch', 'other_history']) }),
  /** This instance is shutting down. The client connects again and reaches another instance. */
  z.object({ type: z.literal('move') }),
  z.object({ type: z.literal('error'), reason: z.string().max(64), text: z.string().max(1024) }),
])
export type ServerMessage = z.infer<typeof ServerMessage>

const KNOWN_TYPES = new Set<unknown>(ServerMessage.options.map(({ shape }) => shape.type.value))
const AnyMessage = z.object({ type: z.string() })

/**
 * Parses a message of the registry; undefined if it is not a message of this protocol. `unknown` is a message type that only a newer build
 * knows. Clients may ignore it: endings are sent only in known types, and `prev` reveals a missing message.
 */
export function parseServerMessage(text: string): ServerMessage | 'unknown' | undefined {
  const json: unknown = JSON.parse(text)
  const known = quickParse(ServerMessage, json)
  if (known.success) return known.data
  const other = AnyMessage.safeParse(json)
  return other.success && !KNOWN_TYPES.has(other.data.type) ? 'unknown' : undefined
}

/** WebSocket close codes (RFC 6455 §7.4.2, private use). */
export const CLOSE_CODES = {
  /** The token expired or was revoked. */
  unauthenticated: 4401,
  slow_reader: 4408,
  too_many_subscriptions: 4429,
  moved: 4503,
} as const
