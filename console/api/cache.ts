import type { Calls } from '../../src/client/call.js'
import { decodeUtf8, fromBase64url } from '../../src/lib/bytes.js'
import { isJsonObject, readJson } from '../../src/lib/json.js'

/** What a view shows of a query. `data` stays while it is read again. */
export interface QueryState<T> {
  readonly data?: T
  readonly error?: unknown
  readonly isLoading: boolean
}

interface Query {
  readonly read: () => Promise<unknown>
  shown: QueryState<unknown>
  /** Handles of the revocation feed that the data names: it is read again once one of them has ended. */
  handles: ReadonlySet<string>
  readonly listeners: Set<() => void>
  /** True while a view shows it that follows the log. */
  isLive: boolean
  /** Counts the reads: only the newest one is shown. */
  reads: number
}

/** Queries that no view shows are forgotten past this number, the oldest first. */
const MAX_IDLE = 100
/** Endings that arrive together cause one read. */
const BATCH_MS = 30
const FORGET_MS = 1000
/** While the log grows, live queries are read this often. */
const ADVANCE_MS = 4000

/** The results of queries: each is read once for all views that show it, and again when a row of it has ended. */
export class QueryCache {
  readonly #calls: Calls
  readonly #queries = new Map<string, Query>()
  readonly #ended = new Set<string>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #advanceTimer: ReturnType<typeof setTimeout> | undefined
  #idleTimer: ReturnType<typeof setTimeout> | undefined

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** Shows the query to a view until the returned function is called. If it is live, it is read again when the log grows. */
  subscribe(path: string, input: object, listener: () => void, isLive: boolean): () => void {
    const query = this.#query(path, input)
    query.listeners.add(listener)
    query.isLive ||= isLive
    return () => {
      query.listeners.delete(listener)
      // Later, because a view that changes stops and starts its subscriptions
      if (this.#idleTimer === undefined) this.#idleTimer = setTimeout(() => this.#forgetIdle(), FORGET_MS)
    }
  }

  /** What is known of the query. It is read if it never was. */
  show(path: string, input: object): QueryState<unknown> {
    return this.#query(path, input).shown
  }

  /** Reads again what is shown of these procedures (`agents.list`) or routers (`agents`), and forgets what is not. Without names: everything. */
  invalidate(names?: readonly string[]): void {
    for (const [key, query] of this.#queries) {
      const path = key.slice(0, key.indexOf(' '))
      if (names && !names.some((name) => path === name || path.startsWith(`${name}.`))) continue
      this.#refresh(key, query)
    }
  }

  /** The log has grown: something that no handle announces may be new. */
  advance(): void {
    if (this.#advanceTimer !== undefined) return
    this.#advanceTimer = setTimeout(() => {
      this.#advanceTimer = undefined
      for (const [key, query] of this.#queries) if (query.isLive) this.#refresh(key, query)
    }, ADVANCE_MS)
  }

  /** Handles have ended: what names one of them is read again. */
  end(handles: Iterable<string>): void {
    for (const handle of handles) this.#ended.add(handle)
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const ended = [...this.#ended]
      this.#ended.clear()
      for (const [key, query] of this.#queries) {
        if (ended.some((handle) => query.handles.has(handle))) this.#refresh(key, query)
      }
    }, BATCH_MS)
  }

  #refresh(key: string, query: Query): void {
    if (query.listeners.size > 0) void this.#read(query)
    else this.#queries.delete(key)
  }

  #query(path: string, input: object): Query {
    const key = `${path} ${JSON.stringify(input)}`
    const known = this.#queries.get(key)
    if (known) return known
    const read = () => this.#calls.query(path, input)
    const query: Query = { read, shown: { isLoading: true }, handles: new Set(), listeners: new Set(), isLive: false, reads: 0 }
    this.#queries.set(key, query)
    void this.#read(query)
    return query
  }

  async #read(query: Query): Promise<void> {
    const number = ++query.reads
    const show = (shown: QueryState<unknown>) => {
      query.shown = shown
      for (const listener of query.listeners) listener()
    }
    if (!query.shown.isLoading) show({ ...query.shown, isLoading: true })
    const shown = await query.read().then(
      (data) => ({ data, isLoading: false }),
      (error: unknown) => ({ ...query.shown, error, isLoading: false }),
    )
    if (query.reads !== number) return
    if (shown.data !== undefined) query.handles = handlesIn(shown.data)
    show(shown)
  }

  #forgetIdle(): void {
    this.#idleTimer = undefined
    const idle = [...this.#queries].filter(([, { listeners }]) => listeners.size === 0)
    for (const [key] of idle.slice(0, Math.max(0, idle.length - MAX_IDLE))) this.#queries.delete(key)
  }
}

/** The handles of all rows in the result of a query. */
function handlesIn(data: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(data)) for (const one of data) handlesIn(one, found)
  else if (typeof data === 'object' && data !== null)
    for (const [name, value] of Object.entries(data)) {
      if (name === 'handles' && Array.isArray(value)) for (const handle of value) found.add(String(handle))
      else if (name === 'view' && typeof value === 'string') for (const handle of handlesOfCardView(value)) found.add(handle)
      else handlesIn(value, found)
    }
  return found
}

/** The handles in the signed statement of `cards.get`, which is not verified here: they only decide when the card is read again. */
function handlesOfCardView(jwt: string): readonly string[] {
  const bytes = fromBase64url(jwt.split('.')[1] ?? '')
  const read = readJson((bytes && decodeUtf8(bytes)) ?? '')
  const standing = 'value' in read && isJsonObject(read.value) ? read.value.standing : undefined
  const handles = isJsonObject(standing) ? standing.dependsOn : undefined
  return Array.isArray(handles) ? handles.map(String) : []
}
