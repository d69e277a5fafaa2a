import { Refusal } from '../errors.js'
import { refusalResponse } from './refusal-response.js'
import type { Verified, Verifier } from './verify-request.js'

/** The members of a response of node:http or node:http2 that a guard uses to cut it off. */
export interface OpenResponse {
  /** True once the connection or the response has closed. */
  readonly closed?: boolean
  once(event: 'close', listener: () => void): unknown
  destroy?(): unknown
  /** The stream of node:http2, whose response cannot be destroyed. */
  readonly stream?: { destroy(): unknown }
}

type Watcher = Pick<Verifier, 'watch'>

/** Cuts off a response that is still open when the token is no longer valid. The connection is closed, so the caller sees a fault. */
export function cutWhenInvalid(verifier: Watcher, verified: Verified, response: OpenResponse): void {
  if (response.closed) return
  const stop = verifier.watch(verified, () => (response.stream ? response.stream.destroy() : response.destroy?.()))
  response.once('close', stop)
}

const noLongerValid = (): Refusal => new Refusal('invalid_token', 'the token has expired or was revoked before the response was complete')

/**
 * Runs a handler and ends its response when the token is no longer valid. If the handler has not responded yet, the response is 401; afterwards
 * the body ends with an error.
 */
export async function endWhenInvalid(verifier: Watcher, verified: Verified, respond: () => Promise<Response>): Promise<Response> {
  const invalid = new AbortController()
  const stop = verifier.watch(verified, () => invalid.abort(noLongerValid()))
  const refused = new Promise<void>((resolve) => invalid.signal.addEventListener('abort', () => resolve()))
  const responded = respond()
  try {
    const response = await Promise.race([responded, refused])
    if (response === undefined) {
      // The handler may still run; its result is discarded.
      void responded.then(({ body }) => body?.cancel()).catch(() => undefined)
      const { status, headers, body } = refusalResponse(noLongerValid())
      return new Response(body, { status, headers })
    }
    if (response.body === null) {
      stop()
      return response
    }
    return new Response(endOnAbort(response.body, invalid.signal, stop), response)
  } catch (error) {
    stop()
    throw error
  }
}

/** The same bytes, with an error instead of the rest once `invalid` aborts. `stop` is called when the stream has ended for another reason. */
function endOnAbort(body: ReadableStream<Uint8Array>, invalid: AbortSignal, stop: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) =>
        invalid.addEventListener('abort', () => {
          controller.error(invalid.reason)
          void reader.cancel(invalid.reason).catch(() => undefined)
        }),
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read()
          if (invalid.aborted) return
          if (!done) return controller.enqueue(value)
          stop()
          controller.close()
        } catch (error) {
          stop()
          throw error
        }
      },
      cancel: (reason) => {
        stop()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
