import { callServer } from './errors.js'

/** Runs `work` once for all callers. After a failure the next caller runs it again. */
export function onceReady(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= callServer(work).catch((error: unknown) => {
      running = undefined
      throw error
    })
    return running
  }
}
