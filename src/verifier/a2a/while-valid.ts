import type { Verified, Verifier } from '../verify-request.js'
import { UnsupportedOperationError } from './methods.js'

type Watcher = Pick<Verifier, 'watch'>

const noLongerValid = () => new UnsupportedOperationError('the access token has expired or was revoked before the response was complete')

/** The result of `work`, or an error as soon as the token is no longer valid. The work itself is not cancelled. */
export async function whileValid<T>(verifier: Watcher, verified: Verified, work: Promise<T>): Promise<T> {
  let stop = () => {}
  try {
    return await new Promise<T>((resolve, reject) => {
      stop = verifier.watch(verified, () => reject(noLongerValid()))
      work.then(resolve, reject)
    })
  } finally {
    stop()
  }
}

/** Yields the events of a stream, and throws as soon as the token is no longer valid. */
export async function* eventsWhileValid<T>(
  verifier: Watcher,
  verified: Verified,
  events: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  let isInvalid = false
  let interrupt = () => {}
  const stop = verifier.watch(verified, () => {
    isInvalid = true
    interrupt()
  })
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<T, void>>((resolve, reject) => {
        interrupt = () => reject(noLongerValid())
        if (isInvalid) interrupt()
        else events.next().then(resolve, reject)
      })
      if (isInvalid) throw noLongerValid()
      if (next.done) return
      yield next.value
    }
  } finally {
    stop()
    // Not awaited: a generator that waits for its next event handles `return` only after that event.
    void events.return().catch(() => undefined)
  }
}
