import { z } from 'zod'
import { Handle } from './handles.js'

/** At most so many handles in `on`: beyond it the request is refused, never the list cut. */
export const MAX_STANDING = 64

/** `standing` of a token or view: it stood, at log position `at` (`seq`), on every handle of `on`. */
export const Standing = z.object({
  at: z.int().min(0),
  on: z.array(Handle).max(MAX_STANDING),
})
export type Standing = z.infer<typeof Standing>

/** What a decision has read: the handles it stands on and the earliest moment at which one of them expires. */
export interface Ground {
  readonly on: readonly Handle[]
  /** Epoch seconds; Infinity where nothing expires. */
  readonly until: number
}

export const groundOf = (on: readonly Handle[], until = Number.POSITIVE_INFINITY): Ground => ({ on, until })

export const joinGrounds = (...grounds: readonly Ground[]): Ground => ({
  on: [...new Set(grounds.flatMap((ground) => ground.on))],
  until: Math.min(Number.POSITIVE_INFINITY, ...grounds.map((ground) => ground.until)),
})

/** Rule 2: what stands on an ended handle is dead. The whole rule, for server and verifier. */
export const stands = (ended: { has(handle: Handle): boolean }, on: Iterable<Handle>): boolean => {
  for (const handle of on) if (ended.has(handle)) return false
  return true
}
