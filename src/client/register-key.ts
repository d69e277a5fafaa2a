import { proveKey, type Signer } from '../credentials/jose/sign.js'
import { type Clock, waitingClock } from '../lib/clock.js'
import { isJsonObject } from '../lib/json.js'
import { systemRandom } from '../lib/random.js'
import type { Jkt, MemberId, OrgId, RegisteredKeyId } from '../protocol/ids.js'
import { errorOf, type Fetch, requestJson } from './http.js'
import { fetchMetadata, issuerOf } from './registry.js'

interface Enrolling {
  readonly issuer: string
  /** The new key: its private part stays where it is. */
  readonly signer: Signer
  readonly clock?: Clock
  readonly fetch?: Fetch
}

/** Redeems an invitation, or a registry's first code: who calls becomes a member. */
export function joinRegistry(
  options: Enrolling & { readonly code: string; readonly name: string },
): Promise<{ memberId: MemberId; orgId: OrgId; role: string; keyId: RegisteredKeyId }> {
  const [invitation = ''] = options.code.split('.')
  return register(options, invitation, 'members.join', { code: options.code, name: options.name })
}

/** Confirms an agent's registration with its own key: the agent becomes active. */
export function confirmAgent(
  options: Enrolling & { readonly agentId: string; readonly registrationToken: string },
): Promise<{ keyId: RegisteredKeyId; jkt: Jkt }> {
  const { agentId, registrationToken } = options
  return register(options, agentId, 'agents.confirm', { agentId, registrationToken })
}

async function register<T>(
  { issuer: given, signer, clock = waitingClock, fetch = globalThis.fetch }: Enrolling,
  owner: string,
  path: string,
  input: object,
): Promise<T> {
  // What the registry calls itself is what the proof must name
  const { issuer } = await fetchMetadata({ fetch, clock }, issuerOf(given))
  const proof = await proveKey({ signer, clock, random: systemRandom }, { issuer, owner })
  const { answer, body } = await requestJson({ fetch, clock }, `${issuer}/trpc/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...input, jwk: signer.publicJwk, proof }),
  })
  const { result } = body
  if (!answer.ok || !isJsonObject(result)) throw errorOf(answer, body)
  return result.data as T // the procedure's output, as its two callers say it
}
