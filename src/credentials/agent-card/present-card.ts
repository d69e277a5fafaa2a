// Private parts of a card are never uploaded to a registry. The agent presents them itself, from the SD-JWT that its publisher signed, with a key
// binding by its own key.
import { refuse } from '../../errors.js'
import type { JsonValue } from '../../lib/json.js'
import { isJsonObject, parseJson } from '../../lib/json.js'
import { issuersOf } from '../../protocol/key-statement.js'
import type { Signer } from '../jose/sign.js'
import { presentSdJwt } from '../sd-jwt/issue.js'
import { bindPresentation, type KeyBindingExpectation } from '../sd-jwt/key-binding.js'
import { processSdJwt } from '../sd-jwt/verify.js'
import { CARD_TYP, cardType, verifyCardCredential } from './card-credential.js'
import { publisherOf, type VerifiedCard } from './card-view.js'

interface CardPart {
  readonly value: JsonValue
  /** Position in the signed card. Array indexes count placeholders and decoys. */
  readonly pointer: string
}

/**
 * Presents a card with the non-public parts that `show` selects (by default all), for one audience and one nonce. `holder` has the key in the
 * card's `cnf`.
 */
export async function presentCard(
  { ownSdJwt, show = () => true }: { readonly ownSdJwt: string; readonly show?: ((part: CardPart) => boolean) | undefined },
  binding: { readonly audience: string; readonly nonce: string; readonly now: number },
  holder: Signer,
): Promise<string> {
  const { disclosures, payload } = processSdJwt(ownSdJwt, { typ: [CARD_TYP] })
  if (payload.cnf === undefined)
    refuse('key_binding_required', 'the card has no `cnf`: publish it with the public key of its agent to present it')
  const selected = new Set(disclosures.filter(({ value, pointer }) => show({ value, pointer })).map(({ pointer }) => pointer))
  return bindPresentation(
    presentSdJwt(ownSdJwt, (pointer) => selected.has(pointer), [CARD_TYP]),
    binding,
    holder,
  )
}

/**
 * Verifies a presentation by the agent of a verified card: the same card, signed by the same key of its publisher, with a key binding for this
 * verifier and nonce. Throws only Refusals, for any input.
 */
export async function verifyCardPresentation(
  { view }: VerifiedCard,
  presentation: string,
  expected: { readonly issuer: string; readonly now: number; readonly keyBinding: KeyBindingExpectation },
): Promise<VerifiedCard> {
  const statement = view.proof?.statement
  const publicCard = parseJson(view.publicCard, { reason: 'card_signature_invalid' })
  if (!statement || !isJsonObject(publicCard))
    return refuse('card_signature_invalid', 'the card is not signed by a registered key, so its agent cannot present it')
  const { card, claims } = await verifyCardCredential(presentation, publicCard, [{ jwk: statement.jwk, alg: statement.alg }], {
    now: expected.now,
    issuers: issuersOf(expected.issuer, statement.owner),
    subject: view.audience,
    vct: cardType(expected.issuer),
    cardId: view.agentId,
    keyBinding: expected.keyBinding,
  })
  if (claims.card_version !== view.version)
    refuse('sd_jwt_invalid', `the presentation is of version ${claims.card_version} of the card, not of version ${view.version}`)
  return { state: 'verified', view, card, publisher: publisherOf(statement) }
}
