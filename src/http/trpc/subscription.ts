import type { Caller } from '../caller.js'
import type { TrpcContext } from './procedures.js'

/**
 * Runs a subscription until its client stops it, its socket closes, or the caller's token is revoked or expires. `stopped` is the signal of
 * @trpc/server. Everything that was registered for the subscription is released when it ends, even if it ends with an error.
 */
export async function* untilRevoked<T>(
  { revocationSignal, caller }: Pick<TrpcContext, 'revocationSignal'> & { readonly caller: Caller },
  stopped: AbortSignal | undefined,
  run: (until: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const ended = new AbortController()
  const end = () => ended.abort()
  if (stopped?.aborted) end()
  stopped?.addEventListener('abort', end)
  try {
    yield* run(revocationSignal(caller, ended.signal))
  } finally {
    stopped?.removeEventListener('abort', end)
    end()
  }
}
