// This registry as the witness of others: whose logs, and which keys may sign for them.
import { z } from 'zod'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import type { Route } from '../../http/route.js'
import type { Clock } from '../../lib/clock.js'
import { fetchJson } from '../../lib/io/fetch-json.js'
import type { Storage } from '../../storage/storage.js'
import { witnessEndpoints } from './witness-endpoints.js'

const Jwks = z.object({ keys: z.array(z.record(z.string().max(64), z.unknown())).max(100) })

/** The name of a registry's log in its checkpoints: the issuer without its scheme. */
export const logOf = (issuer: string): string => issuer.replace(/^https?:\/\//, '')

/** The doors of a witness of the registries with these issuers. */
export const witnessRoutes = ({
  storage,
  clock,
  witnessFor = [],
}: {
  readonly storage: Storage
  readonly clock: Clock
  readonly witnessFor?: readonly string[]
}): Route[] => witnessEndpoints({ storage, clock, witnessFor: witnessFor.map(logOf), keysOf: newLogKeys(witnessFor, clock) })

/** The keys with which the named registries sign their checkpoints, as their JWKS says; one request for all who ask at once. */
function newLogKeys(issuers: readonly string[], clock: Clock): (log: string, maxAgeSeconds: number) => Promise<readonly VerificationKey[]> {
  const kept = new Map<string, { readonly at: number; readonly keys: Promise<readonly VerificationKey[]> }>()
  return (log, maxAgeSeconds) => {
    const known = kept.get(log)
    const now = clock.now()
    if (known && now >= known.at && now <= known.at + maxAgeSeconds) return known.keys
    const issuer = issuers.find((one) => logOf(one) === log) ?? refuse('forbidden', 'this registry is no witness of that log')
    const asked = { at: now, keys: fetchLogKeys(issuer, clock) }
    kept.set(log, asked)
    asked.keys.catch(() => kept.get(log) === asked && kept.delete(log))
    return asked.keys
  }
}

async function fetchLogKeys(issuer: string, clock: Clock): Promise<readonly VerificationKey[]> {
  const { status, value } = await fetchJson(clock, `${issuer}/.well-known/jwks.json`)
  const jwks = Jwks.safeParse(value)
  if (status !== 200 || !jwks.success) return refuse('unavailable', `${issuer} does not tell its keys: ${status}`)
  return jwks.data.keys.filter(({ credence_use }) => credence_use === 'log').map((jwk) => ({ jwk, alg: 'ES256' }))
}
