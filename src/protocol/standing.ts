import { z } from 'zod'
import { Handle } from './handles.js'

/** At most so many handles in `on`: beyond it the request is refused, never the list cut. */
export const MAX_STANDING_HANDLES = 64

/** `standing` of a token or view: it stood, at log position `at` (`seq`), on every handle of `on`. */
export const Standing = z.object({
  at: z.int().min(0),
  dependsOn: z.array(Handle).max(MAX_STANDING_HANDLES),
})
export type Standing = z.infer<typeof Standing>

/** What a decision has read: the handles it stands on and the earliest moment at which one of them expires. */
export interface Dependencies {
  readonly handles: readonly Handle[]
  /** Epoch seconds; Infinity where nothing expires. */
  readonly expiresAt: number
}

export const dependenciesOf = (handles: readonly Handle[], expiresAt = Number.POSITIVE_INFINITY): Dependencies => ({ handles, expiresAt })

export const joinDependencies = (...dependencies: readonly Dependencies[]): Dependencies => ({
  handles: [...new Set(dependencies.flatMap((dependencies) => dependencies.handles))],
  expiresAt: Math.min(Number.POSITIVE_INFINITY, ...dependencies.map((dependencies) => dependencies.expiresAt)),
})

/** Rule 2: what stands on an ended handle is dead. The whole rule, for server and verifier. */
export const stands = (ended: { has(handle: Handle): boolean }, on: Iterable<Handle>): boolean => {
  for (const handle of on) if (ended.has(handle)) return false
  return true
}
