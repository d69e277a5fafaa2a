import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Calls } from '../../src/client/call.js'
import { type Feed, openFeed } from '../../src/client/feed.js'
import { clientClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import { QueryCache } from './cache.js'
import { readLogHead } from './log-head.js'
import { openSession } from './session.js'
import type { Viewer } from './viewer.js'

/** What every view of the console needs. */
export interface Console {
  readonly viewer: Viewer
  readonly calls: Calls
  readonly cache: QueryCache
  readonly connection: Connection
}

/** The state of the session and of the revocation feed. */
export class Connection extends EventTarget {
  #isLive = false
  #hasEnded = false
  /** True once the registry has refused a further token: the session has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }
  end(): void {
    this.#hasEnded = true
    this.dispatchEvent(new Event('change'))
  }
  get isLive(): boolean {
    return this.#isLive
  }
  set isLive(value: boolean) {
    if (value === this.#isLive) return
    this.#isLive = value
    this.dispatchEvent(new Event('change'))
  }
}

const RETRY_MS = 300
/** The page says within this time that it no longer hears of revocations. */
const CHECK_MS = 5000

/** Signs the page in, and follows the revocation feed from the head of the log on: what the page reads later already has everything before. */
export async function openConsole(viewer: Viewer): Promise<Console> {
  const connection = new Connection()
  const calls = await openSession(viewer, () => connection.end())
  const cache = new QueryCache(calls)
  // Tokens and cards are in no entry of the log: they are read again when the person returns to the page
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && cache.advance())
  if (viewer.scopes.includes('revocations:read')) void follow({ viewer, calls, cache, connection })
  return { viewer, calls, cache, connection }
}

/** Follows the feed as long as the session lives. */
async function follow({ viewer, calls, cache, connection }: Console): Promise<void> {
  const feed = await openFeedAtHead(viewer, calls, cache)
  let wasLive = false
  for (;;) {
    connection.isLive = await feed.sync().then(
      () => true,
      () => false,
    )
    // What was read before the feed was live may be older
    if (connection.isLive && !wasLive) cache.invalidate()
    wasLive = connection.isLive
    if (connection.hasEnded) return feed.close()
    await clientClock.after(connection.isLive ? CHECK_MS : RETRY_MS)
  }
}

async function openFeedAtHead(viewer: Viewer, calls: Calls, cache: QueryCache): Promise<Feed> {
  try {
    const head = await readLogHead(viewer.issuer)
    return await openFeed({
      url: async () => `${viewer.issuer.replace(/^http/, 'ws')}/revocations`,
      ticket: async () => (await calls.mutate<{ ticket: string }>('system.ticket')).ticket,
      clock: clientClock,
      random: systemRandom,
      store: { load: async () => head, save: async () => cache.advance() },
      onRevoked: (revoked) => cache.end(revoked.map(({ handle }) => handle)),
    })
  } catch {
    await clientClock.after(CHECK_MS)
    return openFeedAtHead(viewer, calls, cache)
  }
}

export const ConsoleContext = createContext<Console | undefined>(undefined)

export function useConsole(): Console {
  const console = useContext(ConsoleContext)
  if (!console) throw new Error('the view is outside the console')
  return console
}
