import { z } from 'zod'
import { AgentId, IntroductionId } from '../protocol/ids.js'
import { Scope } from '../protocol/rights.js'
import type { Collection, Storage } from '../storage/storage.js'

export const InboxKind = z.enum(['requested', 'granted', 'denied', 'ended'])

/** What an agent is told: numbered from 1, read by position. */
export const InboxItem = z.strictObject({
  id: z.string().max(64),
  agentId: AgentId,
  seq: z.int().min(1),
  at: z.int(),
  kind: InboxKind,
  introductionId: IntroductionId,
  from: AgentId,
  to: AgentId,
  purpose: z.string().max(512),
  scopes: z.array(Scope).max(64),
  expiresAt: z.int(),
})
export type InboxItem = z.infer<typeof InboxItem>

export interface InboxStore {
  readonly items: Collection<InboxItem>
  /** A doorbell of this instance: something was posted. */
  ring(): void
  onRing(listener: () => void): () => void
}

export function inboxStore({ storage }: { storage: Storage }): InboxStore {
  const listeners = new Set<() => void>()
  return {
    items: storage.collection<InboxItem>({
      name: 'inbox',
      schema: InboxItem,
      key: 'id',
      indexes: { place: { fields: ['agentId', 'seq'], unique: true } },
      expires: 'expiresAt',
    }),
    ring: () => {
      for (const listener of listeners) listener()
    },
    onRing: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
