import { systemClock } from '../lib/clock.js'
import { type CalleeStore, openCalleeStore as open } from '../storage/sqlite/verifier-store.js'

export type { CalleeStore } from '../storage/sqlite/verifier-store.js'

/** Replay keys and A2A ties in a file that survives a restart and that replicas of one callee on one machine share: `createVerifier({ …, ...openCalleeStore(file) })`. */
export const openCalleeStore = (file: string): CalleeStore => open(file, systemClock.now)
