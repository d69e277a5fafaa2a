import { concatBytes } from '../bytes.js'

/**
 * Reads the body of a response. Returns undefined, and cancels the body, as soon as it is known to exceed `maxBytes`. When `signal` aborts, the body
 * is cancelled and the reason of the signal is thrown.
 */
export async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body?.cancel()
    return undefined
  }
  const reader = response.body?.getReader()
  // The signal of a fetch in Node ends the body only until its request is garbage-collected (undici holds the request by a WeakRef). Without this a
  // body that arrives byte by byte would keep the process alive.
  const cancel = () => void reader?.cancel().catch(() => undefined)
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  try {
    const parts: Uint8Array[] = []
    let size = 0
    for (let read = await reader?.read(); read?.value; read = await reader?.read()) {
      size += read.value.length
      if (size > maxBytes) {
        cancel()
        return undefined
      }
      parts.push(read.value)
    }
    signal.throwIfAborted()
    return concatBytes(...parts)
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
