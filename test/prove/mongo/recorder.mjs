// What happened, on one clock. Every request is noted with the moment at which it was sent, so that a history can be judged by intervals.

/** A request that hangs is given up, long after `limitMs` has made it a fault. */
export const GIVE_UP_MS = 40_000

export function newHistory(limitMs) {
  return {
    limitMs,
    texts: new Map(),
    ended: [],
    issued: [],
    asked: [],
    races: [],
    published: [],
    granted: [],
    requests: [],
    streams: [],
    log: [],
    views: [],
    found: undefined,
  }
}

/** A `fetch` that goes to one instance whatever the address is, and notes when it was sent. One request at a time. */
export function fetchVia(history, issuer, instance) {
  const via = async (input, init) => {
    const url = String(input).replace(issuer, `http://127.0.0.1:${instance.port}`)
    const sentAt = performance.now()
    via.sentAt = sentAt
    const done = (status) =>
      history.requests.push({
        what: `${pathOf(url)} at instance ${instance.name} (${status})`,
        at: sentAt,
        ms: performance.now() - sentAt,
        status,
      })
    try {
      const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(GIVE_UP_MS) })
      const body = await answer.arrayBuffer()
      done(answer.status)
      return new Response(body.byteLength > 0 ? body : null, { status: answer.status, headers: answer.headers })
    } catch (error) {
      done(error.name)
      throw error
    }
  }
  via.sentAt = 0
  return via
}

const pathOf = (url) => new URL(url).pathname.replace(/agt_[\w-]+/, '…')
