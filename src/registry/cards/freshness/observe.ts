// Looks at an agent from outside, as its callers do: reads the card that the agent serves itself, and checks that its endpoint answers.
import { withoutSignatures } from '../../../credentials/agent-card/canonical-card.js'
import { cardDigest } from '../../../credentials/agent-card/card-credential.js'
import { canonical } from '../../../credentials/jose/canonical-json.js'
import { isRefusal } from '../../../errors.js'
import type { Cause, FetchRequest, GuardedFetch } from '../../../lib/guarded-fetch/guarded-fetch.js'
import { isJsonObject, type JsonObject, parseJson, readJson } from '../../../lib/json.js'
import { shortened } from '../../../lib/text.js'
import { MAX_CARD_BYTES } from '../../../protocol/cards/card-model.js'
import type { Freshness } from '../../../protocol/cards/card-view.js'
import type { Card } from '../card-record.js'
import { wellKnownCard } from '../import/card-text.js'

type Observation = Pick<Freshness, 'url' | 'card' | 'differs' | 'endpoint'>
type ObservedCard = Pick<Card, 'publicCard' | 'cardSha256' | 'endpoint' | 'source'>

/** Members that an observation lists. */
const MAX_DIFFERING = 32
const MAX_NAME = 64

/**
 * The URL of the agent's own card: that from which it was imported, if it is on the host of the endpoint; otherwise the well-known one of that
 * host. Undefined if the card names neither.
 */
export function ownCardUrl({ endpoint, source }: Pick<Card, 'endpoint' | 'source'>): string | undefined {
  if (endpoint === undefined) return source
  const isOfEndpoint = source !== undefined && new URL(source).host === new URL(endpoint).host
  return isOfEndpoint ? source : wellKnownCard(new URL(endpoint).origin)
}

/** Fetches the agent's own card from `url`, and asks its endpoint. Refuses if no request may be sent, or past a rate. */
export async function observe(
  { guardedFetch }: { readonly guardedFetch: GuardedFetch },
  card: ObservedCard,
  url: string,
  cause: Cause | undefined,
): Promise<Observation> {
  const { endpoint } = card
  const [fetched, answer] = await Promise.all([
    fetchIfReachable(guardedFetch, { url, purpose: 'freshness', cause }),
    endpoint === undefined ? undefined : fetchIfReachable(guardedFetch, { url: endpoint, purpose: 'endpoint', cause }),
  ])
  return {
    url,
    ...(fetched ? comparison(card, fetched.body) : { card: 'unreachable' as const }),
    ...(endpoint !== undefined && { endpoint: answer ? ('reachable' as const) : ('unreachable' as const) }),
  }
}

async function fetchIfReachable(guardedFetch: GuardedFetch, request: FetchRequest) {
  try {
    return await guardedFetch(request)
  } catch (error) {
    if (isRefusal(error) && error.reason === 'fetch_failed') return undefined
    throw error
  }
}

/** Compares the cards without their signatures and whatever the order of their members. */
function comparison({ publicCard, cardSha256 }: ObservedCard, own: Uint8Array): Pick<Observation, 'card' | 'differs'> {
  const json = readJson(own, { maxBytes: MAX_CARD_BYTES })
  if ('fault' in json || !isJsonObject(json.value)) return { card: 'differs', differs: [] }
  if (cardDigest(json.value) === cardSha256) return { card: 'same' }
  const [published, served] = [parseJson(publicCard), json.value].map((card) => (isJsonObject(card) ? withoutSignatures(card) : {}))
  return { card: 'differs', differs: differing(published ?? {}, served ?? {}) }
}

const differing = (a: JsonObject, b: JsonObject): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => canonical(a[name] ?? null) !== canonical(b[name] ?? null) || Object.hasOwn(a, name) !== Object.hasOwn(b, name))
    .map((name) => shortened(name, MAX_NAME))
    .sort()
    .slice(0, MAX_DIFFERING)
