// Records a history on one clock. Each request is recorded with the time at which it was sent, so that the history can be judged by intervals.

/** A request is aborted after this time, long after `limitMs` made it a fault. */
export const ABORT_MS = 40_000

export function newHistory(limitMs) {
  return {
    limitMs,
    texts: new Map(),
    revoked: [],
    issued: [],
    introspected: [],
    races: [],
    published: [],
    granted: [],
    requests: [],
    streams: [],
    log: [],
    logReads: [],
    final: undefined,
  }
}

/** A `fetch` that sends every request to one instance, and records it. For one request at a time. */
export function fetchVia(history, issuer, instance) {
  const via = async (input, init) => {
    const url = String(input).replace(issuer, `http://127.0.0.1:${instance.port}`)
    const sentAt = performance.now()
    via.sentAt = sentAt
    const record = (status) =>
      history.requests.push({
        what: `${pathOf(url)} at instance ${instance.name} (${status})`,
        sentAt,
        ms: performance.now() - sentAt,
        status,
      })
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(ABORT_MS) })
      const body = await response.arrayBuffer()
      record(response.status)
      return new Response(body.byteLength > 0 ? body : null, { status: response.status, headers: response.headers })
    } catch (error) {
      record(error.name)
      throw error
    }
  }
  via.sentAt = 0
  return via
}

const pathOf = (url) => new URL(url).pathname.replace(/agt_[\w-]+/, '…')
