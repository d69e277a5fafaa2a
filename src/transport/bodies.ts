import type { IncomingMessage } from 'node:http'
import { Refusal } from '../errors.js'

/** Of all bodies together that have come in part. */
export const MAX_UNFINISHED_BYTES = 33_554_432
/** What it costs to keep a piece, however small. */
const PIECE_BYTES = 256

interface Unfinished {
  /** Memory that it takes. */
  cost: number
  giveUp(refusal: Refusal): void
}

/**
 * Reads bodies. Past `maxBytes` of unfinished ones, the one that has taken longest is turned away: who sends without delay is read, however
 * many send slowly.
 */
export function newBodies(maxBytes = MAX_UNFINISHED_BYTES): (request: IncomingMessage, limit: number) => Promise<Buffer> {
  // In the order in which their first bytes came.
  const unfinished = new Set<Unfinished>()
  let held = 0

  const makeRoom = (): void => {
    for (const one of unfinished) {
      if (held <= maxBytes) return
      one.giveUp(new Refusal('unavailable', 'too many bodies are under way', { retryAfterSeconds: 1 }))
    }
  }
  return (request, limit) =>
    new Promise((resolve, reject) => {
      const tooLarge = () => new Refusal('body_too_large', `the body passes ${limit / 1024} KB`)
      if (Number(request.headers['content-length'] ?? 0) > limit) return reject(tooLarge())
      let pieces: Buffer[] = []
      let length = 0
      const leave = () => {
        request.off('data', onData).off('end', onEnd).off('error', giveUp).off('close', onClose)
        unfinished.delete(one)
        held -= one.cost
        one.cost = 0
      }
      const giveUp = (error: Error) => {
        leave()
        pieces = []
        // What still comes is not kept.
        request.resume()
        reject(error)
      }
      const onData = (piece: Buffer) => {
        unfinished.add(one)
        length += piece.length
        one.cost += piece.length + PIECE_BYTES
        held += piece.length + PIECE_BYTES
        pieces.push(piece)
        if (length > limit) giveUp(tooLarge())
        else makeRoom()
      }
      const onEnd = () => {
        leave()
        resolve(Buffer.concat(pieces, length))
      }
      const onClose = () => giveUp(new Refusal('invalid_request', 'the body is not whole'))
      const one: Unfinished = { cost: 0, giveUp }
      request.on('data', onData).on('end', onEnd).on('error', giveUp).on('close', onClose)
    })
}
