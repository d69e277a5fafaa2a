import { z } from 'zod'
import { newListeners } from '../../lib/listeners.js'
import type { Random } from '../../lib/random.js'
import { AgentId, IntroductionId } from '../../protocol/ids.js'
import { Scope } from '../../protocol/rights.js'
import type { Collection, Storage } from '../../storage/storage.js'

const InboxKind = z.enum(['requested', 'granted', 'denied', 'ended'])

/** What an agent is told. */
const Told = z.strictObject({
  agentId: AgentId,
  at: z.int(),
  kind: InboxKind,
  introductionId: IntroductionId,
  from: AgentId,
  to: AgentId,
  purpose: z.string().max(512),
  scopes: z.array(Scope).max(64),
  expiresAt: z.int(),
})

/** Posted in one commit with what it tells of, under a name that nobody else takes; it has no number yet. */
const PostedItem = Told.extend({ id: z.string().max(64) })
type PostedItem = z.infer<typeof PostedItem>

/** Numbered from 1, read by position. */
export const InboxItem = Told.extend({ id: z.string().max(64), seq: z.int().min(1) })
export type InboxItem = z.infer<typeof InboxItem>

/** The last number that was given in an inbox. It outlives every item: a position that somebody has read up to stays true. */
const InboxHead = z.strictObject({ agentId: AgentId, seq: z.int().min(1) })
type InboxHead = z.infer<typeof InboxHead>

export interface InboxStore {
  readonly storage: Pick<Storage, 'commit'>
  readonly random: Pick<Random, 'token'>
  readonly posted: Collection<PostedItem>
  readonly items: Collection<InboxItem>
  readonly heads: Collection<InboxHead>
  /** A doorbell of this instance: something was posted. */
  ring(): void
  onRing(listener: () => void): () => void
}

export function inboxStore({ storage, random }: { storage: Storage; random: Random }): InboxStore {
  const listeners = newListeners()
  return {
    storage,
    random,
    posted: storage.collection<PostedItem>({
      name: 'inbox-posted',
      schema: PostedItem,
      key: 'id',
      indexes: { agent: { fields: ['agentId', 'at'] } },
      expires: 'expiresAt',
    }),
    items: storage.collection<InboxItem>({
      name: 'inbox',
      schema: InboxItem,
      key: 'id',
      indexes: { place: { fields: ['agentId', 'seq'], unique: true } },
      expires: 'expiresAt',
    }),
    heads: storage.collection<InboxHead>({ name: 'inbox-heads', schema: InboxHead, key: 'agentId', indexes: {} }),
    ring: listeners.tell,
    onRing: listeners.add,
  }
}
