import { type ClientSession, MongoError, MongoServerError } from 'mongodb'
import { isRefusal, refuse } from '../../../errors.js'

/** A key, or a place in a unique index, is taken. */
export const isTaken = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11000

/** Codes of what we asked wrongly: BadValue, FailedToParse, TypeMismatch, ConflictingUpdateOperators, DollarPrefixedFieldName, DocumentValidationFailure, and too large. */
const BUGS = new Set([2, 9, 14, 40, 52, 121, 17419])

/** Runs a call of the driver: a server that is away, slow or changing its primary is `unavailable` (503), not a bug. */
export async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (isRefusal(error) || !(error instanceof MongoError) || isTaken(error)) throw error
    if (error instanceof MongoServerError && BUGS.has(Number(error.code))) throw error
    return refuse('unavailable', 'the storage is not reachable', { retryAfterSeconds: 1 })
  }
}

/** A call of a transaction fails as it does: what the driver marks as passing is done anew with all of its transaction. */
export const reachIn = <T>(
  session: ClientSession | undefined,
  call: (at: { readonly session?: ClientSession }) => Promise<T>,
): Promise<T> => (session === undefined ? reach(() => call({})) : call({ session }))
