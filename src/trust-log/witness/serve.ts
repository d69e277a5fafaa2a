import { z } from 'zod'
import { logOrigin } from '../../credentials/checkpoint.js'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import type { Route } from '../../http/route.js'
import type { Clock } from '../../lib/clock.js'
import { fetchJson } from '../../lib/io/fetch-json.js'
import type { Storage } from '../../storage/storage.js'
import { witnessEndpoints } from './witness-endpoints.js'

const Jwks = z.object({ keys: z.array(z.record(z.string().max(64), z.unknown())).max(100) })

/** The routes of a witness for the registries with the issuers `witnessFor`. */
export const witnessRoutes = ({
  storage,
  clock,
  witnessFor = [],
}: {
  readonly storage: Storage
  readonly clock: Clock
  readonly witnessFor?: readonly string[]
}): Route[] => witnessEndpoints({ storage, clock, witnessFor: witnessFor.map(logOrigin), keysOf: newLogKeys(witnessFor, clock) })

/** Fetches and caches the keys with which the registries sign their checkpoints. Concurrent callers share one request. */
function newLogKeys(issuers: readonly string[], clock: Clock): (log: string, maxAgeSeconds: number) => Promise<readonly VerificationKey[]> {
  const cache = new Map<string, { readonly fetchedAt: number; readonly keys: Promise<readonly VerificationKey[]> }>()
  return (log, maxAgeSeconds) => {
    const cached = cache.get(log)
    const now = clock.now()
    if (cached && now >= cached.fetchedAt && now <= cached.fetchedAt + maxAgeSeconds) return cached.keys
    const issuer =
      issuers.find((candidate) => logOrigin(candidate) === log) ?? refuse('forbidden', 'this registry is not a witness of that log')
    const fetched = { fetchedAt: now, keys: fetchLogKeys(issuer, clock) }
    cache.set(log, fetched)
    fetched.keys.catch(() => cache.get(log) === fetched && cache.delete(log))
    return fetched.keys
  }
}

async function fetchLogKeys(issuer: string, clock: Clock): Promise<readonly VerificationKey[]> {
  const { status, value } = await fetchJson(clock, `${issuer}/.well-known/jwks.json`)
  const jwks = Jwks.safeParse(value)
  if (status !== 200 || !jwks.success)
    return refuse('unavailable', `${issuer}/.well-known/jwks.json responded with ${status} and without a valid key set`)
  return jwks.data.keys.filter(({ credence_use }) => credence_use === 'log').map((jwk) => ({ jwk, alg: 'ES256' }))
}
