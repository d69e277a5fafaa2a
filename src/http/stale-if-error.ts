// Public bytes go on while the storage is away or slow: a public path answers as it last did (RFC 5861 §4, stale-if-error). Nothing that is
// given because something stands goes this way; and what is known here to have ended is not answered from memory either.
import { isRefusal } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import type { Entry } from '../protocol/log/entry.js'
import { stands } from '../protocol/standing.js'
import type { HttpResponse, Route } from './route.js'

/** A new public path that anybody may be given a minute late also needs a line here. */
const PUBLIC_PATHS = new Set(['/.well-known/jwks.json', '/agents/:id/.well-known/agent-card.json', '/agents/:id/jwks.json'])
/** How long somebody who could have the last answer waits for a new one. */
const PATIENCE_MS = 1000
const MAX_KEPT = 512

export interface StaleIfErrorDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly ended: { has(handle: Handle): boolean }
  onApplied(listener: (applied: { readonly entries: readonly Pick<Entry, 'ends'>[] }) => void): unknown
}

/** The same routes; those of public bytes remember what they last answered. */
export function staleIfError(routes: readonly Route[], deps: StaleIfErrorDeps): Route[] {
  const kept = new Map<string, HttpResponse>()
  // At once, for an ended version is forgotten in time
  deps.onApplied(({ entries }) => {
    if (entries.some(({ ends }) => ends.length > 0))
      for (const [key, { standsOn = [] }] of kept) if (!stands(deps.ended, standsOn)) kept.delete(key)
  })
  return routes.map((route) => (PUBLIC_PATHS.has(route.path) ? remembering(route, kept, deps) : route))
}

function remembering({ endpoint, ...route }: Route, kept: Map<string, HttpResponse>, { clock, ended }: StaleIfErrorDeps): Route {
  return {
    ...route,
    endpoint: async (request) => {
      // Not as it was spelt: a path has many spellings
      const key = `${route.path} ${JSON.stringify(request.params)}`
      const lastOf = () => kept.get(key)
      const over = new AbortController()
      const fresh = endpoint(request).then(
        (answer) => (stands(ended, answer.standsOn ?? []) ? keep(kept, key, answer) : answer),
        (error: unknown) => {
          if (!isAway(error)) kept.delete(key)
          const last = isAway(error) ? lastOf() : undefined
          if (last === undefined) throw error
          return last
        },
      )
      if (lastOf() === undefined) return fresh
      // Where the last one is answered, whoever asks next may have the new one
      fresh.catch(() => undefined)
      try {
        return await Promise.race([fresh, clock.after(PATIENCE_MS, over.signal).then(() => lastOf() ?? fresh)])
      } finally {
        over.abort()
      }
    },
  }
}

const isAway = (error: unknown): boolean => isRefusal(error) && (error.reason === 'unavailable' || error.reason === 'standing_unknown')

/** Only whole answers; the one that was asked for longest ago goes. */
function keep(kept: Map<string, HttpResponse>, key: string, answer: HttpResponse): HttpResponse {
  if (answer.status !== 200) return answer
  kept.delete(key)
  kept.set(key, answer)
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break
    kept.delete(oldest)
  }
  return answer
}
