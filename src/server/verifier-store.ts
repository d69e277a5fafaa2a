import { systemClock } from '../lib/clock.js'
import { openVerifierStore, type VerifierStore } from '../storage/sqlite/verifier-store.js'

export type { VerifierStore } from '../storage/sqlite/verifier-store.js'

/**
 * Stores used DPoP proofs, counts of calls and A2A task bindings in a file. The file survives a restart, and the replicas of a resource server on one
 * machine share it: `createVerifier({ …, ...sqliteVerifierStore(file) })`.
 */
export const sqliteVerifierStore = (file: string): VerifierStore => openVerifierStore(file, systemClock.now)
