import { Refusal } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { OutgoingRequest } from '../../lib/guarded-fetch/guarded-fetch.js'

/** The rate of all live instances together. */
interface Rate {
  /** Names the limit in the RateLimit fields of a refusal. */
  readonly name: string
  readonly perSecond: number
  /** After a pause, the requests of this time may come at once. Default: BURST_SECONDS. */
  readonly burstSeconds?: number
}

interface RateLimit {
  /** Counts one request of `key`, or returns the refusal that it gets. `perSecond` replaces the default rate for this key. */
  take(key: string, perSecond?: number): Refusal | undefined
  /** The refusal that a request of `key` would get now, without counting it. */
  refusalFor(key: string): Refusal | undefined
  /** Takes back one request that was counted. */
  refund(key: string): void
}

const BURST_SECONDS = 4
/** Past this number of buckets, the one that has been refilled for longest is dropped. */
const MAX_BUCKETS = 16_384

interface RateDeps extends Pick<Clock, 'monotonicMs'> {
  /** The number of instances that share a rate. */
  liveInstances(): number
}

/**
 * A token bucket for each key. A bucket that is full again is the same as none. Each of n live instances allows an nth of the rate, and at
 * least one request after a pause.
 */
function newRateLimit(
  { name, perSecond: defaultRate, burstSeconds = BURST_SECONDS }: Rate,
  { monotonicMs, liveInstances }: RateDeps,
): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number; perSecond: number }>()
  const burstOf = (perSecond: number): number => Math.max(1, perSecond * burstSeconds)
  const tokensOf = (key: string, perSecond: number): number => {
    const bucket = buckets.get(key)
    const burst = burstOf(perSecond)
    return bucket ? Math.min(burst, bucket.tokens + ((monotonicMs() - bucket.atMs) * perSecond) / 1000) : burst
  }
  const set = (key: string, tokens: number, perSecond: number): void => {
    buckets.delete(key)
    if (tokens < burstOf(perSecond)) buckets.set(key, { tokens, atMs: monotonicMs(), perSecond })
    const [oldest] = buckets.keys()
    if (buckets.size > MAX_BUCKETS && oldest !== undefined) buckets.delete(oldest)
  }
  const refusalAt = (key: string, perSecond: number): Refusal | undefined => {
    const seconds = Math.ceil((1 - tokensOf(key, perSecond)) / perSecond)
    if (seconds <= 0) return undefined
    const burst = burstOf(perSecond)
    return new Refusal('rate_limited', `more than ${textOfRate(perSecond)} (${name}), retry in ${seconds} s`, {
      retryAfterSeconds: seconds,
      rateLimit: { name, quota: Math.floor(burst), windowSeconds: Math.ceil(burst / perSecond) },
    })
  }
  return {
    refusalFor: (key) => refusalAt(key, buckets.get(key)?.perSecond ?? defaultRate),
    take: (key, perSecond = defaultRate) => {
      const share = perSecond / liveInstances()
      const refusal = refusalAt(key, share)
      if (!refusal) set(key, tokensOf(key, share) - 1, share)
      return refusal
    },
    refund: (key) => {
      const perSecond = buckets.get(key)?.perSecond
      if (perSecond !== undefined) set(key, tokensOf(key, perSecond) + 1, perSecond)
    },
  }
}

/** The rate in the shortest unit of time that makes it a whole number of requests; if none does, in the shortest that makes it at least one. */
function textOfRate(perSecond: number): string {
  const rates = TIME_UNITS.map(({ unit, seconds }) => ({ unit, count: Math.round(perSecond * seconds * 100) / 100 }))
  const atLeastOne = rates.filter(({ count }) => count >= 1)
  const { count, unit } = atLeastOne.find((rate) => Number.isInteger(rate.count)) ?? atLeastOne[0] ?? { count: 1, unit: 'day' }
  return `${count} ${count === 1 ? 'request' : 'requests'} per ${unit}`
}
const TIME_UNITS = [
  { unit: 'second', seconds: 1 },
  { unit: 'minute', seconds: 60 },
  { unit: 'hour', seconds: 3600 },
  { unit: 'day', seconds: 86_400 },
] as const

/** A limit that refuses nothing (`--limits off`). */
const noRateLimit: RateLimit = { take: () => undefined, refusalFor: () => undefined, refund: () => {} }

/** Default rates. docs/OPERATIONS.md lists them. */
export const RATES = {
  /** Requests of one address prefix whose credentials are not, or not yet, verified. */
  credentials: { name: 'unverified-credentials', perSecond: 20 },
  tokenRequests: { name: 'token-requests', perSecond: 50 },
  /** Verifications and introspections of one client: 600 a minute. */
  verifications: { name: 'token-verifications', perSecond: 10, burstSeconds: 60 },
  /** Pushed authorization requests of one client: 60 a minute. */
  pushedRequests: { name: 'pushed-requests', perSecond: 1, burstSeconds: 60 },
  /** Requests of one client for a device code, or of all public clients at one address prefix: 30 a minute. */
  deviceRequests: { name: 'device-requests', perSecond: 0.5, burstSeconds: 60 },
  /** User codes of devices that a session, or an address prefix, has typed wrong. */
  wrongUserCodes: { name: 'wrong-user-codes', perSecond: 5 / 600, burstSeconds: 600 },
  wrongUserCodesOfAddress: { name: 'wrong-user-codes-of-address', perSecond: 20 / 600, burstSeconds: 600 },
  creationsOfClient: { name: 'creations', perSecond: 5 },
  creationsOfOrganisation: { name: 'creations-of-organisation', perSecond: 50 },
  /** `cards.lint` from one address prefix: it is open to anonymous callers, and a card with thousands of faults takes up to a second. */
  lint: { name: 'card-lint', perSecond: 1, burstSeconds: 5 },
  /** `cards.diff` of one client, or of anonymous callers from one address prefix: it reads two cards of 64 KB. */
  diff: { name: 'card-diff', perSecond: 1, burstSeconds: 5 },
  /** Registrations at /oauth/register with one grant, and from one address prefix. */
  registrationsOfGrant: { name: 'registrations-of-grant', perSecond: 20 / 3600, burstSeconds: 3600 },
  registrationsOfAddress: { name: 'registrations', perSecond: 10 / 3600, burstSeconds: 3600 },
  /** Failed sign-ins of one address prefix, and pages that send a browser to the sign-in and back. */
  signIns: { name: 'sign-ins', perSecond: 10 / 600, burstSeconds: 600 },
  signInStarts: { name: 'sign-in-starts', perSecond: 100 / 600, burstSeconds: 600 },
  /** Requests to the OpenID Provider of one registered issuer: a sign-in needs one or two. */
  signInsOfIssuer: { name: 'sign-ins-of-issuer', perSecond: 2, burstSeconds: 60 },
  /** Requests of the registry to hosts that callers chose (lib/guarded-fetch). */
  outgoingOfClient: { name: 'outgoing-requests', perSecond: 10 / 60, burstSeconds: 60 },
  outgoingOfOrganisation: { name: 'outgoing-requests-of-organisation', perSecond: 200 / 3600, burstSeconds: 360 },
  outgoingToHost: { name: 'outgoing-requests-to-host', perSecond: 60 / 3600, burstSeconds: 1200 },
  /** Metadata of clients and their keys: for anonymous callers of one address prefix, to one host, and in all. */
  clientDocumentsOfAddress: { name: 'client-documents-of-address', perSecond: 10 / 60, burstSeconds: 60 },
  clientDocumentsToHost: { name: 'client-documents-to-host', perSecond: 20 / 3600, burstSeconds: 3600 },
  clientDocuments: { name: 'client-documents', perSecond: 1000 / 3600, burstSeconds: 3600 },
  /** One known URL with its keys: a refresh, which is due every 5 minutes at most; and an early one for an unknown `kid`. */
  refreshesOfDocument: { name: 'refreshes-of-client-document', perSecond: 1 / 60, burstSeconds: 1200 },
  unknownKidsOfDocument: { name: 'unknown-kids-of-client-document', perSecond: 1 / 60, burstSeconds: 60 },
  /** Messages to the URL of one webhook. */
  webhookMessages: { name: 'webhook-messages', perSecond: 10 },
  /** For callers, and once more for checks that the registry repeats by itself. */
  outgoing: { name: 'outgoing-requests-of-registry', perSecond: 1000 / 3600, burstSeconds: 180 },
} as const satisfies Readonly<Record<string, Rate>>

export interface RateLimits extends Readonly<Record<keyof typeof RATES, RateLimit>> {}

/** Counts a verification or introspection of a token for the client, or refuses it. */
export function requireVerificationRate({ verifications }: Pick<RateLimits, 'verifications'>, { id }: { readonly id: string }): void {
  const refusal = verifications.take(id)
  if (refusal) throw refusal
}

/** Counts a creation for the client, and for the agents or the members of its organisation; or refuses it. */
export function requireCreationRate(
  { creationsOfClient, creationsOfOrganisation }: RateLimits,
  { id, kind, orgId }: { readonly id: string; readonly kind: 'agent' | 'member'; readonly orgId: string },
  perSecond?: number,
): void {
  const ofClient = creationsOfClient.take(id, perSecond)
  if (ofClient) throw ofClient
  const ofOrganisation = creationsOfOrganisation.take(`${kind} ${orgId}`)
  if (!ofOrganisation) return
  creationsOfClient.refund(id)
  throw ofOrganisation
}

/**
 * Counts an outgoing request for the client that causes it, the organisation of that client, its host, and all callers; or returns the refusal that
 * it gets. Repeated checks are counted apart from callers, and proofs of a name for each organisation, so that strangers who have the registry
 * send requests to a host cannot end or prevent its proof.
 */
export function takeOutgoingRate(rates: RateLimits, request: OutgoingRequest): Refusal | undefined {
  const counted: (() => void)[] = []
  for (const { limit, key } of outgoingRatesOf(rates, request)) {
    const refusal = limit.take(key)
    if (refusal) {
      for (const refund of counted) refund()
      return refusal
    }
    counted.push(() => limit.refund(key))
  }
  return undefined
}

function outgoingRatesOf(
  rates: RateLimits,
  { host, purpose, cause }: OutgoingRequest,
): readonly { readonly limit: RateLimit; readonly key: string }[] {
  const { outgoingOfClient, outgoingOfOrganisation, outgoingToHost, outgoing } = rates
  const { signInsOfIssuer } = rates
  const { clientDocumentsOfAddress, clientDocumentsToHost, clientDocuments, refreshesOfDocument, unknownKidsOfDocument } = rates
  if (cause && 'webhookUrl' in cause) return [{ limit: rates.webhookMessages, key: cause.webhookUrl }]
  if (cause && 'address' in cause)
    return [
      { limit: clientDocumentsOfAddress, key: cause.address },
      { limit: clientDocumentsToHost, key: host },
      { limit: clientDocuments, key: 'unknown' },
    ]
  // Known URLs are counted apart, and unknown `kid`s apart from due refreshes, so that strangers cannot keep an admitted client out
  if (cause && 'knownUrl' in cause) {
    // The document was counted with its keys: a refresh is not refused half-way
    if (purpose === 'client-keys') return []
    return [
      { limit: cause.isForKid ? unknownKidsOfDocument : refreshesOfDocument, key: cause.knownUrl },
      { limit: clientDocuments, key: cause.isForKid ? 'unknown kid' : 'known' },
    ]
  }
  if (cause && 'issuerId' in cause) return [{ limit: signInsOfIssuer, key: cause.issuerId }]
  const kind = cause === undefined ? 'repeated' : 'callers'
  const ofHost = cause && purpose === 'namespace' ? `namespace ${cause.orgId} ${host}` : `${kind} ${host}`
  return [
    ...(cause === undefined
      ? []
      : [
          { limit: outgoingOfClient, key: cause.id },
          { limit: outgoingOfOrganisation, key: cause.orgId },
        ]),
    { limit: outgoingToHost, key: ofHost },
    { limit: outgoing, key: kind },
  ]
}

/** All rate limits of an instance; with `limits: 'off'` none of them refuses anything. */
export function newRateLimits(
  limits: 'on' | 'off',
  { monotonicMs, liveInstances = () => 1 }: Partial<RateDeps> & Pick<RateDeps, 'monotonicMs'>,
): RateLimits {
  const limitOf = (rate: Rate): RateLimit => (limits === 'on' ? newRateLimit(rate, { monotonicMs, liveInstances }) : noRateLimit)
  return {
    credentials: limitOf(RATES.credentials),
    tokenRequests: limitOf(RATES.tokenRequests),
    verifications: limitOf(RATES.verifications),
    pushedRequests: limitOf(RATES.pushedRequests),
    deviceRequests: limitOf(RATES.deviceRequests),
    wrongUserCodes: limitOf(RATES.wrongUserCodes),
    wrongUserCodesOfAddress: limitOf(RATES.wrongUserCodesOfAddress),
    creationsOfClient: limitOf(RATES.creationsOfClient),
    creationsOfOrganisation: limitOf(RATES.creationsOfOrganisation),
    lint: limitOf(RATES.lint),
    diff: limitOf(RATES.diff),
    registrationsOfGrant: limitOf(RATES.registrationsOfGrant),
    registrationsOfAddress: limitOf(RATES.registrationsOfAddress),
    signIns: limitOf(RATES.signIns),
    signInStarts: limitOf(RATES.signInStarts),
    signInsOfIssuer: limitOf(RATES.signInsOfIssuer),
    outgoingOfClient: limitOf(RATES.outgoingOfClient),
    outgoingOfOrganisation: limitOf(RATES.outgoingOfOrganisation),
    outgoingToHost: limitOf(RATES.outgoingToHost),
    clientDocumentsOfAddress: limitOf(RATES.clientDocumentsOfAddress),
    clientDocumentsToHost: limitOf(RATES.clientDocumentsToHost),
    clientDocuments: limitOf(RATES.clientDocuments),
    refreshesOfDocument: limitOf(RATES.refreshesOfDocument),
    unknownKidsOfDocument: limitOf(RATES.unknownKidsOfDocument),
    webhookMessages: limitOf(RATES.webhookMessages),
    outgoing: limitOf(RATES.outgoing),
  }
}
