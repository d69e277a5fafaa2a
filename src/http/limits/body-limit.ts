import type { IncomingMessage } from 'node:http'
import { Refusal } from '../../errors.js'
import { newMemoryBudget } from './memory-budget.js'

/** Limit of a body, unless its endpoint sets another. A caller that is not authenticated sends no larger one for parsing. */
export const BODY_BYTES = 65_536
/** Largest limit of an endpoint. */
export const MAX_BODY_BYTES = 1_048_576
/** Maximum memory of all incomplete bodies together. Past it, the oldest of them is refused with `unavailable`. */
const MAX_UNFINISHED_BYTES = 33_554_432
/** Memory overhead of a chunk, however small it is. */
const CHUNK_OVERHEAD_BYTES = 256

/**
 * Reads request bodies. A body past its own `limit` is read to its end and discarded, so that the sender receives the refusal; a body past
 * MAX_BODY_BYTES is refused at once. When incomplete bodies exceed `maxBytes` together, the one that has been arriving longest is refused.
 */
export function newBodyReader(maxBytes = MAX_UNFINISHED_BYTES): (request: IncomingMessage, limit: number) => Promise<Buffer> {
  const budget = newMemoryBudget(maxBytes)
  return (request, limit) =>
    new Promise((resolve, reject) => {
      const tooLarge = () => new Refusal('body_too_large', `the body is larger than ${limit / 1024} KiB`)
      if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return reject(tooLarge())
      let chunks: Buffer[] = []
      let length = 0
      const detach = () => {
        request.off('data', onData).off('end', onEnd).off('error', onIncomplete).off('close', onIncomplete)
        reservation.release()
      }
      const abort = (error: Error) => {
        detach()
        chunks = []
        // Reads and drops the rest
        request.resume()
        reject(error)
      }
      const onData = (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_BODY_BYTES) return abort(tooLarge())
        if (length > limit) return discard()
        chunks.push(chunk)
        reservation.grow(chunk.length + CHUNK_OVERHEAD_BYTES)
      }
      const discard = () => {
        chunks = []
        reservation.release()
      }
      const onEnd = () => {
        detach()
        if (length > limit) reject(tooLarge())
        else resolve(Buffer.concat(chunks, length))
      }
      // The client has closed the connection. The error event is no fault of the registry either
      const onIncomplete = () => abort(new Refusal('invalid_request', 'the body is incomplete'))
      const reservation = budget.reserve(() =>
        abort(new Refusal('unavailable', 'too many incomplete request bodies, retry in 1 s', { retryAfterSeconds: 1 })),
      )
      request.on('data', onData).on('end', onEnd).on('error', onIncomplete).on('close', onIncomplete)
    })
}
