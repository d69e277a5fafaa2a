import type { IncomingMessage } from 'node:http'
import { Refusal } from '../errors.js'
import { newMemoryBudget } from './memory-budget.js'

export const MAX_BODY_BYTES = 1_048_576
/** Of all bodies together that have come in part. */
export const MAX_UNFINISHED_BYTES = 33_554_432
/** What it costs to keep a piece, however small. */
const PIECE_BYTES = 256

/**
 * Reads bodies. One that passes its own `limit` is read to its end and not kept, so that its sender hears the refusal; past MAX_BODY_BYTES it is
 * cut. Where unfinished ones pass `maxBytes` together, the one that has taken longest is turned away.
 */
export function newBodyReader(maxBytes = MAX_UNFINISHED_BYTES): (request: IncomingMessage, limit: number) => Promise<Buffer> {
  const budget = newMemoryBudget(maxBytes)
  return (request, limit) =>
    new Promise((resolve, reject) => {
      const tooLarge = () => new Refusal('body_too_large', `the body passes ${limit / 1024} KB`)
      if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return reject(tooLarge())
      let pieces: Buffer[] = []
      let length = 0
      const leave = () => {
        request.off('data', onData).off('end', onEnd).off('error', giveUp).off('close', onClose)
        held.release()
      }
      const giveUp = (error: Error) => {
        leave()
        pieces = []
        // What still comes is not kept.
        request.resume()
        reject(error)
      }
      const onData = (piece: Buffer) => {
        length += piece.length
        if (length > MAX_BODY_BYTES) return giveUp(tooLarge())
        if (length > limit) return letGo()
        pieces.push(piece)
        held.grow(piece.length + PIECE_BYTES)
      }
      const letGo = () => {
        pieces = []
        held.release()
      }
      const onEnd = () => {
        leave()
        if (length > limit) reject(tooLarge())
        else resolve(Buffer.concat(pieces, length))
      }
      const onClose = () => giveUp(new Refusal('invalid_request', 'the body is not whole'))
      const held = budget.hold(() => giveUp(new Refusal('unavailable', 'too many bodies are under way', { retryAfterSeconds: 1 })))
      request.on('data', onData).on('end', onEnd).on('error', giveUp).on('close', onClose)
    })
}
