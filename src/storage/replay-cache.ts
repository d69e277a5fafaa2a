import { z } from 'zod'
import type { Collection, Storage } from './storage.js'

/** Purpose, whose it is, and a `jti` of at most 256 characters. */
const Spent = z.strictObject({ id: z.string().max(384), expiresAt: z.number() })
type Spent = z.infer<typeof Spent>

/** Spends single-use names. One atomic insert: of many callers one is told `true`. */
export interface ReplayCache {
  /** `purpose` keeps kinds of names apart; `expiresAt` is when the name could no longer be accepted anyway, skew included. */
  consume(purpose: 'assertion' | 'proof', name: string, expiresAt: number): Promise<boolean>
}

export function newReplayCache(storage: Storage): ReplayCache {
  const spent: Collection<Spent> = storage.collection({ name: 'spent', schema: Spent, key: 'id', indexes: {}, expires: 'expiresAt' })
  return {
    consume: async (purpose, name, expiresAt) => (await spent.insert({ id: `${purpose} ${name}`, expiresAt })) === 'inserted',
  }
}
