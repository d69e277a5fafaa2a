import { reach } from './errors.js'

/** Runs `work` once for all who ask; after a failure the next who asks runs it anew. */
export function onceReady(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => {
    running ??= reach(work).catch((error: unknown) => {
      running = undefined
      throw error
    })
    return running
  }
}
