// Serves cached responses of public endpoints while the store is slow or unavailable (RFC 5861 §4, stale-if-error). A cached response is
// used if the endpoint fails as unavailable, or takes longer than FRESH_TIMEOUT_MS. A response that depends on a handle leaves the cache as
// soon as this instance learns that the handle has ended, so revoked keys and unpublished cards are not served again.
// Limits: at most MAX_CACHED responses, past which the least recently refreshed one is dropped; only paths of PUBLIC_PATHS; only status 200.
import { isRefusal } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import type { Entry } from '../protocol/log/entry.js'
import { stands } from '../protocol/standing.js'
import type { HttpResponse, Route } from './route.js'

/** Add a new public path here only if a response that is a minute old does no harm. */
const PUBLIC_PATHS = new Set(['/.well-known/jwks.json', '/agents/:id/.well-known/agent-card.json', '/agents/:id/jwks.json'])
const FRESH_TIMEOUT_MS = 1000
const MAX_CACHED = 512

interface StaleIfErrorDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly ended: { has(handle: Handle): boolean }
  onApplied(listener: (applied: { readonly entries: readonly Pick<Entry, 'ends'>[] }) => void): unknown
}

/** Returns the same routes; those of PUBLIC_PATHS get the cache. */
export function staleIfError(routes: readonly Route[], deps: StaleIfErrorDeps): Route[] {
  const cached = new Map<string, HttpResponse>()
  // Checked now, not only at the next request: by then the ended set may have forgotten the handle
  deps.onApplied(({ entries }) => {
    if (entries.some(({ ends }) => ends.length > 0))
      for (const [key, { dependsOn = [] }] of cached) if (!stands(deps.ended, dependsOn)) cached.delete(key)
  })
  return routes.map((route) => (PUBLIC_PATHS.has(route.path) ? withCache(route, cached, deps) : route))
}

function withCache({ endpoint, ...route }: Route, cached: Map<string, HttpResponse>, { clock, ended }: StaleIfErrorDeps): Route {
  return {
    ...route,
    endpoint: async (request, signal) => {
      // The key has the parsed parameters, because one path can be percent-encoded in many ways
      const key = `${route.path} ${JSON.stringify(request.params)} ${route.variantOf?.(request) ?? ''}`
      const done = new AbortController()
      const fresh = endpoint(request, signal).then(
        (response) => (stands(ended, response.dependsOn ?? []) ? cache(cached, key, response) : response),
        (error: unknown) => {
          if (!isUnavailable(error)) cached.delete(key)
          const stale = isUnavailable(error) ? cached.get(key) : undefined
          if (stale === undefined) throw error
          return stale
        },
      )
      if (!cached.has(key)) return fresh
      // If the stale response wins the race, nothing else handles a later failure of `fresh`
      fresh.catch(() => undefined)
      try {
        return await Promise.race([fresh, clock.after(FRESH_TIMEOUT_MS, done.signal).then(() => cached.get(key) ?? fresh)])
      } finally {
        done.abort()
      }
    },
  }
}

const isUnavailable = (error: unknown): boolean =>
  isRefusal(error) && (error.reason === 'unavailable' || error.reason === 'standing_unknown')

/** Caches a response with status 200 as the newest one. */
function cache(cached: Map<string, HttpResponse>, key: string, response: HttpResponse): HttpResponse {
  if (response.status !== 200) return response
  cached.delete(key)
  cached.set(key, response)
  for (const oldest of cached.keys()) {
    if (cached.size <= MAX_CACHED) break
    cached.delete(oldest)
  }
  return response
}
