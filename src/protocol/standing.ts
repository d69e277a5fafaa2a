import { z } from 'zod'
import { Handle } from './handles.js'
import type { Position } from './log/entry.js'

/** Maximum number of handles in `dependsOn`. A token that would need more is refused; the list is never truncated. */
export const MAX_STANDING_HANDLES = 96

/** `standing` of a token or card view: at the log entry with `seq` equal to `at`, none of the handles in `dependsOn` had ended. */
export const Standing = z.object({
  at: z.int().min(0),
  dependsOn: z.array(Handle).max(MAX_STANDING_HANDLES),
})
export type Standing = z.infer<typeof Standing>

/** The dependencies of a decision: the handles of everything that it has read, and the earliest time at which one of these things expires. */
export interface Dependencies {
  readonly handles: readonly Handle[]
  /** Epoch seconds; Infinity if nothing expires. */
  readonly expiresAt: number
}

export const dependenciesOf = (handles: readonly Handle[], expiresAt = Number.POSITIVE_INFINITY): Dependencies => ({ handles, expiresAt })

export const joinDependencies = (...dependencies: readonly Dependencies[]): Dependencies => ({
  handles: [...new Set(dependencies.flatMap(({ handles }) => handles))],
  expiresAt: Math.min(Number.POSITIVE_INFINITY, ...dependencies.map(({ expiresAt }) => expiresAt)),
})

/** True if none of the handles has ended. The server and the verifiers use only this function to decide standing. */
export const stands = (ended: { has(handle: Handle): boolean }, dependsOn: Iterable<Handle>): boolean => {
  for (const handle of dependsOn) if (ended.has(handle)) return false
  return true
}

/** The result of a read barrier: everything that was acknowledged before the call is applied. */
export interface Barrier {
  /** Epoch seconds: the later of the clock before the read and log time after it. Decides what has expired. */
  readonly now: number
  /** `seq` of the last applied entry. */
  readonly seq: number
  readonly position: Position
  /** When the read began, in milliseconds of the monotonic clock. */
  readonly startedMs: number
}
