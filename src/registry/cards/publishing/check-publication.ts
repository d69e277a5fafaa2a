// What a publisher hands in, checked strictly: C0 and its signature, the SD-JWT that is tied to it, the release policy.
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

export interface CheckedCard {
  readonly json: JsonObject
  readonly model: CardModel
  readonly signer: RegisteredKey
  readonly verdict: Verdict
}

/** A card of version 1.0 or 0.3, signed by a registered key of the organisation or the agent that stands. */
export async function requireSignedCard(
  deps: CheckDeps,
  of: { orgId: OrgId; agentId: AgentId },
  c0: string,
  now: number,
): Promise<CheckedCard> {
  const { state, json, model, faults } = readCard(c0)
  if (state === 'refused' || !json || !model) return refuse('card_invalid', 'the card does not fit A2A', { faults })
  if (state === 'legacy') return refuse('card_version_unsupported', 'cards of version 0.2 are imported, not published')
  const keys = await findPublisherKeys(deps, of)
  const verdicts = await verifyCardSignatures(json, keysByKid(keys))
  const found = verdicts.find((one) => one.state === 'valid')
  if (found?.state !== 'valid') return refuseUnsigned(verdicts)
  const signer = keys.find(({ jkt }) => jkt === found.jkt) ?? refuse('key_untrusted', 'the key is not registered')
  if (!isUsable(deps, signer, now)) return refuse('key_ended', 'the key that signed has ended or is retired')
  if (found.uncoveredSecurity.length > 0)
    return refuse('card_signature_invalid', 'the signature does not cover security requirements of the card', {
      faults: found.uncoveredSecurity.map((pointer) => ({ pointer, hint: 'it lies outside the signed bytes' })),
    })
  return { json, model, signer, verdict: verdictOf(found, signer, now) }
}

/** As a signature is verified: its `kid` is a thumbprint; without one every key is tried. */
export const keysByKid = (keys: readonly RegisteredKey[]) => (kid: string | undefined) =>
  keys.filter(({ jkt }) => kid === undefined || kid === jkt).map(({ jwk, alg }) => ({ jwk, alg }))

export const isUsable = ({ trustLog }: Pick<CheckDeps, 'trustLog'>, { handle, retiresAt }: RegisteredKey, now: number): boolean =>
  !trustLog.ended.has(handle) && (retiresAt === undefined || retiresAt > now)

function refuseUnsigned(verdicts: readonly SignatureVerdict[]): never {
  const faults = verdicts.map((one) => ({ pointer: `/signatures/${one.index}`, hint: one.state === 'valid' ? '' : one.hint }))
  if (verdicts.length === 0)
    return refuse('card_unsigned', 'publishing needs a signature', {
      faults: [{ pointer: '/signatures', hint: 'sign the card with a registered key, or import it' }],
    })
  if (verdicts.every((one) => one.state === 'unknown_key'))
    return refuse('key_untrusted', 'the card is signed by a key that is not registered', { faults })
  return refuse('card_signature_invalid', 'no signature of the card verifies', { faults })
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

/** The SD-JWT and its release policy, by the key that signed C0. Uploading what is `private` is refused. */
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
    return refuse('release_policy_invalid', 'a card with hidden parts needs a release policy')
  }
  const { policy } = await verifyReleasePolicy(releasePolicy, () => [key], {
    issuer: signer.owner,
    subject: audience,
    cardSha256: cardDigest(json),
    now,
  })
  const pointers = new Set(credential.disclosures.map(({ pointer }) => pointer))
  const strays = Object.keys(policy.tiers).filter((pointer) => !pointers.has(pointer) && policy.tiers[pointer] !== 'private')
  if (strays.length > 0)
    return refuse('release_policy_invalid', 'the release policy names what is no hidden part', {
      faults: strays.slice(0, 16).map((pointer) => ({ pointer, hint: 'no disclosure stands here' })),
    })
  const secret = credential.disclosures.filter(({ pointer }) => tierOf(policy, pointer) === 'private')
  if (secret.length > 0)
    return refuse('release_policy_invalid', 'a private part was uploaded', {
      faults: secret.slice(0, 16).map(({ pointer }) => ({ pointer, hint: 'leave its disclosure out: the agent presents it itself' })),
    })
  return { credential, releaseNumber: policy.number }
}
