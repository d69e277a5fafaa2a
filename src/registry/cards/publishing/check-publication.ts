import { type CardCredential, cardDigest, cardType, verifyCardCredential } from '../../../credentials/agent-card/card-credential.js'
import { type SignatureVerdict, verifyCardSignatures } from '../../../credentials/agent-card/card-signatures.js'
import { verifyReleasePolicy } from '../../../credentials/jose/token-types.js'
import { refuse } from '../../../errors.js'
import { findPublisherKeys } from '../../../identity/keys/find.js'
import type { RegisteredKey, RegisteredKeysStore } from '../../../identity/keys/store.js'
import type { JsonObject } from '../../../lib/json.js'
import { type CardModel, readCard } from '../../../protocol/cards/card-model.js'
import type { Verdict } from '../../../protocol/cards/card-view.js'
import { tierOf } from '../../../protocol/cards/release-policy.js'
import { type AgentId, audienceOf, type OrgId } from '../../../protocol/ids.js'
import type { TrustLog } from '../../../trust-log/trust-log.js'

export interface CheckDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended'>
  readonly issuer: string
}

interface CheckedCard {
  readonly json: JsonObject
  readonly model: CardModel
  readonly signer: RegisteredKey
  readonly verdict: Verdict
}

/** Requires a card of A2A version 1.0 or 0.3 that a usable registered key of the agent or its organisation has signed. */
export async function requireSignedCard(
  deps: CheckDeps,
  agent: { orgId: OrgId; agentId: AgentId },
  publicCard: string,
  now: number,
): Promise<CheckedCard> {
  const { state, json, model, faults } = readCard(publicCard)
  if (state === 'refused' || !json || !model) return refuse('card_invalid', 'the card is not a valid A2A card', { faults })
  if (state === 'legacy') return refuse('card_version_unsupported', 'a card of A2A version 0.2 cannot be published; import it instead')
  const keys = await findPublisherKeys(deps, agent)
  const verdicts = await verifyCardSignatures(json, keysByKid(keys))
  const found = verdicts.find((one) => one.state === 'valid')
  if (found?.state !== 'valid') return refuseUnsigned(verdicts)
  const signer = keys.find(({ jkt }) => jkt === found.jkt) ?? refuse('key_untrusted', 'the key that signed the card is not registered')
  if (!isUsable(deps, signer, now))
    return refuse('key_revoked', 'the key that signed the card was revoked or retired; sign it with another')
  if (found.uncoveredSecurity.length > 0)
    return refuse('card_signature_invalid', 'the signature does not cover the security requirements of the card', {
      faults: found.uncoveredSecurity.map((pointer) => ({ pointer, hint: 'this member is outside the signed bytes' })),
    })
  return { json, model, signer, verdict: verdictOf(found, signer, now) }
}

/** The keys that a signature may have been made with: `kid` is the thumbprint of the key; without it, every key is tried. */
export const keysByKid = (keys: readonly RegisteredKey[]) => (kid: string | undefined) =>
  keys.filter(({ jkt }) => kid === undefined || kid === jkt).map(({ jwk, alg }) => ({ jwk, alg }))

export const isUsable = ({ trustLog }: Pick<CheckDeps, 'trustLog'>, { handle, retiresAt }: RegisteredKey, now: number): boolean =>
  !trustLog.ended.has(handle) && (retiresAt === undefined || retiresAt > now)

function refuseUnsigned(verdicts: readonly SignatureVerdict[]): never {
  const faults = verdicts.map((one) => ({ pointer: `/signatures/${one.index}`, hint: one.state === 'valid' ? '' : one.hint }))
  if (verdicts.length === 0)
    return refuse('card_unsigned', 'the card has no signature', {
      faults: [{ pointer: '/signatures', hint: 'sign the card with a registered key, or import it unsigned' }],
    })
  if (verdicts.every((one) => one.state === 'unknown_key'))
    return refuse('key_untrusted', 'the card is signed by a key that is not registered', { faults })
  return refuse('card_signature_invalid', 'no signature of the card is valid', { faults })
}

export const verdictOf = (found: SignatureVerdict & { state: 'valid' }, signer: RegisteredKey, now: number): Verdict => ({
  state: 'signed',
  profile: found.profile,
  ...(found.kid !== undefined && { kid: found.kid }),
  thumbprint: signer.jkt,
  signedBy: signer.use === 'publisher' ? 'organisation' : 'agent',
  checkedAt: now,
  uncovered: found.uncovered.slice(0, 64),
  hints: [],
})

export interface CheckedCredential {
  readonly credential: CardCredential
  readonly releaseNumber: number
}

/** Verifies the SD-JWT and the release policy with the key that signed the public card. A disclosure of a `private` part is refused. */
export async function requireCredential(
  deps: CheckDeps,
  { json, signer }: Pick<CheckedCard, 'json' | 'signer'>,
  { agentId, sdJwt, releasePolicy }: { agentId: AgentId; sdJwt: string; releasePolicy: string | undefined },
  now: number,
): Promise<CheckedCredential> {
  const audience = audienceOf(deps.issuer, agentId)
  const key = { jwk: signer.jwk, alg: signer.alg }
  const credential = await verifyCardCredential(sdJwt, json, [key], {
    now,
    issuer: signer.owner,
    subject: audience,
    vct: cardType(deps.issuer),
    cardId: agentId,
  })
  if (releasePolicy === undefined) {
    if (credential.disclosures.length === 0) return { credential, releaseNumber: 0 }
    return refuse('release_policy_invalid', 'a card with non-public parts needs a release policy')
  }
  const { policy } = await verifyReleasePolicy(releasePolicy, () => [key], {
    issuer: signer.owner,
    subject: audience,
    cardSha256: cardDigest(json),
    now,
  })
  const pointers = new Set(credential.disclosures.map(({ pointer }) => pointer))
  const unknown = Object.keys(policy.tiers).filter((pointer) => !pointers.has(pointer) && policy.tiers[pointer] !== 'private')
  if (unknown.length > 0)
    return refuse('release_policy_invalid', 'the release policy names parts that the SD-JWT does not disclose', {
      faults: unknown.slice(0, 16).map((pointer) => ({ pointer, hint: 'the SD-JWT has no disclosure for this part' })),
    })
  const privateParts = credential.disclosures.filter(({ pointer }) => tierOf(policy, pointer) === 'private')
  if (privateParts.length > 0)
    return refuse('release_policy_invalid', 'the SD-JWT discloses private parts', {
      faults: privateParts
        .slice(0, 16)
        .map(({ pointer }) => ({ pointer, hint: 'leave this disclosure out; the agent presents it itself' })),
    })
  return { credential, releaseNumber: policy.number }
}
