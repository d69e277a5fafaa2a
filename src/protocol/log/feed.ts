// Messages of `GET /revocations`, WebSocket subprotocol `a2a-revocation.v1+json`: one JSON object a text frame. A client's has at most 64 KiB,
// the registry's at most MAX_ENDINGS endings (about 0.7 MB).
// The client subscribes from what it has applied; the server sends what ended since, in order; `prev` shows a gap.
import { z } from 'zod'
import { Handle } from '../handles.js'
import { Ending, MAX_ENDINGS, Position } from './entry.js'

export const FEED_PROTOCOL = 'a2a-revocation.v1+json'
/** A browser, which can send no header, names its one-time ticket as a second subprotocol. */
export const TICKET_PREFIX = 'ticket.'
export const MAX_FRAME_BYTES = 65_536
/** So far behind, the whole set is the shorter way. */
export const MAX_REPLAY_ENTRIES = 10_000

/** base64url hash of the leaf of the last applied entry: tells whether both have read the same history. */
const LeafHash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const Seq = z.int().min(-1)

/** Where a subscriber stands: everything up to here is applied. */
export const FeedPosition = z.object({ position: Position, hash: LeafHash })
export type FeedPosition = z.infer<typeof FeedPosition>

export const ClientMessage = z.discriminatedUnion('type', [
  /** Without `from`: answered by a snapshot. Also after `reset` and `snapshot_required`. */
  z.strictObject({ type: z.literal('subscribe'), from: FeedPosition.optional() }),
  /** A fence: answered by `synced` once the socket has subscribed and all that a new read of the log found has been sent. */
  z.strictObject({ type: z.literal('sync'), n: z.int().min(0) }),
  z.strictObject({ type: z.literal('ack'), position: Position }),
  /** A new token for the same client, before the old one expires. */
  z.strictObject({ type: z.literal('authenticate'), token: z.string().max(8192), proof: z.string().max(8192) }),
])
export type ClientMessage = z.infer<typeof ClientMessage>

export const ServerMessage = z.discriminatedUnion('type', [
  /** First message. `expiresAt`: authenticate anew before then (epoch seconds). */
  z.object({ type: z.literal('hello'), version: z.literal(1), registry: z.string().max(256), head: FeedPosition, expiresAt: z.int() }),
  /** Everything after `prev` up to `last`; `hash` is that of entry `last`. Few entries end something, so `ended` may be empty. */
  z.object({
    type: z.literal('events'),
    epoch: Handle,
    prev: Seq,
    last: z.int().min(0),
    time: z.int(),
    hash: LeafHash,
    ended: z.array(Ending).max(MAX_ENDINGS),
  }),
  /** Part of what ends in the next `events`, which has no room for all of it: keep it until that comes. */
  z.object({ type: z.literal('ended'), ended: z.array(Ending) }),
  /** The ended set as of `place`, in `parts` messages numbered from 0; merge each, take up `place` after the last. */
  z.object({
    type: z.literal('snapshot'),
    part: z.int().min(0),
    parts: z.int().min(1),
    place: FeedPosition,
    time: z.int(),
    ended: z.array(Ending).max(MAX_ENDINGS),
  }),
  z.object({ type: z.literal('synced'), n: z.int().min(0), head: FeedPosition }),
  /** `from` is too long ago: subscribe without it. */
  z.object({ type: z.literal('snapshot_required') }),
  /** `from` is not of this history: subscribe without it, keep every ended handle. */
  z.object({ type: z.literal('reset'), reason: z.enum(['unknown_epoch', 'other_history']) }),
  /** This instance goes away: connect again (to another one). */
  z.object({ type: z.literal('move') }),
  z.object({ type: z.literal('error'), reason: z.string().max(64), text: z.string().max(1024) }),
])
export type ServerMessage = z.infer<typeof ServerMessage>

const KNOWN_TYPES = new Set<unknown>(ServerMessage.options.map(({ shape }) => shape.type.value))
const AnyMessage = z.object({ type: z.string() })

/**
 * What the registry has sent: undefined where it is no message of this protocol. `unknown`: a newer registry's, of a type that this build does
 * not know. It is ignored: what ends is told in messages that every build knows, and `prev` shows where one is missing.
 */
export function serverMessageIn(text: string): ServerMessage | 'unknown' | undefined {
  const json: unknown = JSON.parse(text)
  const known = ServerMessage.safeParse(json)
  if (known.success) return known.data
  const other = AnyMessage.safeParse(json)
  return other.success && !KNOWN_TYPES.has(other.data.type) ? 'unknown' : undefined
}

/** Why a socket was closed (RFC 6455 §7.4.2, private use). */
export const CLOSE_CODES = {
  /** The token expired, or what it stands on ended. */
  unauthenticated: 4401,
  slow_reader: 4408,
  too_many_subscriptions: 4429,
  moved: 4503,
} as const
