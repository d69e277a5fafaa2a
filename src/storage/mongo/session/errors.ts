import { type ClientSession, MongoError, MongoServerError } from 'mongodb'
import { isRefusal, refuse } from '../../../errors.js'

/** Another document has the key, or the same values in a unique index. */
export const isDuplicateKey = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11000

/**
 * Codes that mean a bug in our command: BadValue, FailedToParse, TypeMismatch, ConflictingUpdateOperators, DollarPrefixedFieldName,
 * DocumentValidationFailure, and a document that is too large.
 */
const BUGS = new Set([2, 9, 14, 40, 52, 121, 17419])

/** Runs a call of the driver. A server that is unreachable, slow or changing its primary gives the refusal `unavailable` (503), not a bug. */
export async function callServer<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (isRefusal(error) || !(error instanceof MongoError) || isDuplicateKey(error)) throw error
    if (error instanceof MongoServerError && BUGS.has(Number(error.code))) throw error
    return refuse('unavailable', 'the store is not reachable', { retryAfterSeconds: 1, cause: error })
  }
}

/** Like `callServer`. In a transaction it leaves errors as they are: the driver runs the transaction again if an error is marked as transient. */
export const callServerIn = <T>(
  session: ClientSession | undefined,
  call: (inSession: { readonly session?: ClientSession }) => Promise<T>,
): Promise<T> => (session === undefined ? callServer(() => call({})) : call({ session }))
