import { systemClock } from '../lib/clock.js'
import { openVerifierTables as open, type VerifierStore } from '../storage/sqlite/verifier-store.js'

export type { VerifierStore } from '../storage/sqlite/verifier-store.js'

/** Replay keys and A2A ties in a file that survives a restart and that replicas of one callee on one machine share: `createVerifier({ …, ...openCalleeStore(file) })`. */
export const sqliteVerifierStore = (file: string): VerifierStore => open(file, systemClock.now)
