import { type CardCredential, cardDigest, cardType, verifyCardCredential } from '../../../credentials/agent-card/card-credential.js'
import {
  bestSignature,
  type SignatureVerdict,
  type ValidSignature,
  verifyCardSignatures,
} from '../../../credentials/agent-card/card-signatures.js'
import { verifyReleasePolicy } from '../../../credentials/jose/token-types.js'
import { type Fault, refuse } from '../../../errors.js'
import { findPublisherKeys } from '../../../identity/keys/find.js'
import type { RegisteredKey, RegisteredKeysStore } from '../../../identity/keys/store.js'
import type { JsonObject } from '../../../lib/json.js'
import { isWithin } from '../../../lib/json-pointer.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { CardFault } from '../../../protocol/cards/card-rules.js'
import type { Verdict } from '../../../protocol/cards/card-view.js'
import { type ReleasePolicy, tierOf } from '../../../protocol/cards/release-policy.js'
import { type AgentId, audienceOf, type OrgId } from '../../../protocol/ids.js'
import { issuersOf } from '../../../protocol/key-statement.js'
import type { TrustLog } from '../../../trust-log/trust-log.js'
import { checkCard, publishErrors } from '../lint/all-faults.js'

export interface CheckDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: Pick<TrustLog, 'ended'>
  readonly issuer: string
  /** Development mode accepts addresses that are not public. */
  readonly dev: boolean
}

interface CheckedCard {
  readonly json: JsonObject
  readonly model: CardModel
  readonly signer: RegisteredKey
  readonly verdict: Verdict
  readonly signatures: readonly SignatureVerdict[]
}

/**
 * Requires a card of A2A version 1.0 or 0.3 that other A2A readers can parse, whose addresses are public, and that a usable registered key of
 * the agent or its organisation has signed. The signature that covers most decides; of equal ones, that of the earliest `preferred` key.
 */
export async function requireSignedCard(
  deps: CheckDeps,
  agent: { orgId: OrgId; agentId: AgentId },
  publicCard: string,
  { now, preferred }: { readonly now: number; readonly preferred: readonly (string | undefined)[] },
): Promise<CheckedCard> {
  const { json, model, warnings } = requirePublishable(publicCard, deps)
  const keys = await findPublisherKeys(deps, agent)
  const signatures = await verifyCardSignatures(json, keysByKid(keys))
  const keyOf = ({ jkt }: ValidSignature) => keys.find((key) => key.jkt === jkt)
  if (!signatures.some(({ state }) => state === 'valid')) return refuseUnsigned(signatures)
  const isByUsableKey = (one: ValidSignature) => keys.some((key) => key.jkt === one.jkt && isUsable(deps, key, now))
  const found = bestSignature(signatures, isByUsableKey, preferred)
  const signer = found && keyOf(found)
  if (!signer) return refuse('key_revoked', 'the key that signed the card was revoked or retired; sign it with another')
  if (found.uncoveredSecurity.length > 0)
    return refuse('card_signature_invalid', 'no signature covers the endpoints and the security requirements of the card', {
      faults: found.uncoveredSecurity,
    })
  const verdict = verdictOf(found, signer, { now, hints: warnings })
  return { json, model, signer, verdict, signatures }
}

/** Refuses a card that is invalid, that other A2A readers cannot parse or read differently, or that sends callers to an address that is not public. */
export function requirePublishable(
  card: string | JsonObject,
  deps: Pick<CheckDeps, 'dev'>,
): { readonly json: JsonObject; readonly model: CardModel; readonly warnings: readonly CardFault[] } {
  const { state, json, model, allFaults } = checkCard(card, deps)
  if (state === 'legacy') return refuse('card_version_unsupported', 'a card of A2A version 0.2 cannot be published; import it instead')
  const faults = publishErrors(allFaults)
  if (faults.length === 0 && json && model) return { json, model, warnings: allFaults }
  const all = faults.length > MAX_FAULTS ? ` (${faults.length} faults; the first ${MAX_FAULTS} are listed, cards.lint lists all)` : ''
  return refuse('card_invalid', `the card cannot be published${all}`, { faults: faults.slice(0, MAX_FAULTS) })
}
/** Faults in the detail of a refusal. */
const MAX_FAULTS = 32

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

export const verdictOf = (
  found: ValidSignature,
  signer: RegisteredKey,
  { now, hints }: { readonly now: number; readonly hints: readonly Fault[] },
): Verdict => ({
  state: 'signed',
  profile: found.profile,
  ...(found.kid !== undefined && { kid: found.kid }),
  thumbprint: signer.jkt,
  signedBy: signer.use === 'publisher' ? 'organisation' : 'agent',
  checkedAt: now,
  uncovered: found.uncovered.slice(0, 64),
  hints: hintsOf(hints),
})

/** The hints of a verdict; the last one says how many are left out. */
export function hintsOf(faults: readonly Fault[]): string[] {
  const hints = faults.map(({ pointer, hint }) => `${pointer}: ${hint}`)
  return hints.length <= MAX_HINTS ? hints : [...hints.slice(0, MAX_HINTS - 1), `and ${hints.length - MAX_HINTS + 1} more`]
}
const MAX_HINTS = 16

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
  const issuers = issuersOf(deps.issuer, signer.owner)
  const key = { jwk: signer.jwk, alg: signer.alg }
  const credential = await verifyCardCredential(sdJwt, json, [key], {
    now,
    issuers,
    subject: audience,
    vct: cardType(deps.issuer),
    cardId: agentId,
  })
  if (releasePolicy === undefined) {
    if (credential.disclosures.length === 0) return { credential, releaseNumber: 0 }
    return refuse('release_policy_invalid', 'a card with non-public parts needs a release policy')
  }
  const { policy } = await verifyReleasePolicy(releasePolicy, () => [key], {
    issuers,
    subject: audience,
    cardSha256: cardDigest(json),
    now,
  })
  const unknown = unknownPointers(policy, credential)
  if (unknown.length > 0)
    return refuse('release_policy_invalid', 'the release policy names parts that the SD-JWT does not have', {
      faults: unknown.slice(0, 16).map((pointer) => ({ pointer, hint: 'the SD-JWT has no disclosure for this part' })),
    })
  const publicParts = credential.disclosures.filter(({ pointer }) => tierOf(policy, pointer) === 'public')
  if (publicParts.length > 0)
    return refuse('release_policy_invalid', 'the release policy makes hidden parts public', {
      faults: publicParts.slice(0, 16).map(({ pointer }) => ({ pointer, hint: 'put a public part into the public card' })),
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

/**
 * The pointers of a policy that name no part of the card. A private part is not uploaded, so its name is unknown: a withheld digest must be
 * where the pointer says, or the part must be inside another private part.
 */
function unknownPointers({ tiers }: ReleasePolicy, { disclosures, containers }: CardCredential): string[] {
  const disclosed = new Set(disclosures.map(({ pointer }) => pointer))
  const isWithheld = (pointer: string): boolean => {
    const end = pointer.lastIndexOf('/')
    const parent = containers.find((container) => container.pointer === pointer.slice(0, end))
    if (parent?.kind === 'object') return parent.digestCount > parent.disclosedCount
    return (parent?.withheld ?? []).some((index) => String(index) === pointer.slice(end + 1))
  }
  const withheld = Object.keys(tiers).filter((pointer) => tiers[pointer] === 'private' && isWithheld(pointer))
  const exists = (pointer: string): boolean =>
    disclosed.has(pointer) || (tiers[pointer] === 'private' && withheld.some((part) => isWithin(part, pointer)))
  return Object.keys(tiers).filter((pointer) => !exists(pointer))
}
