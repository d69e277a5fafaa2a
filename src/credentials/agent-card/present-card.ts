// Private parts of a card are never uploaded: the agent shows them itself, out of the SD-JWT that its publisher signed, bound by its own key.
import { refuse } from '../../errors.js'
import type { JsonValue } from '../../lib/json.js'
import { isJsonObject, parseJson } from '../../lib/json.js'
import type { Signer } from '../jose/sign.js'
import { presentSdJwt } from '../sd-jwt/issue.js'
import { bindPresentation, type KeyBindingExpectation } from '../sd-jwt/key-binding.js'
import { processSdJwt } from '../sd-jwt/verify.js'
import { CARD_TYP, cardType, verifyCardCredential } from './card-credential.js'
import type { VerifiedCard } from './card-view.js'

export interface CardPart {
  readonly value: JsonValue
  /** In the signed card, where array positions count placeholders and decoys. */
  readonly pointer: string
}

/** The card with the parts that `show` picks (all, where it is absent), for one audience and nonce, by the key that the card names. */
export async function presentCard(
  { ownSdJwt, show = () => true }: { readonly ownSdJwt: string; readonly show?: ((part: CardPart) => boolean) | undefined },
  binding: { readonly audience: string; readonly nonce: string; readonly now: number },
  holder: Signer,
): Promise<string> {
  const { disclosures, payload } = processSdJwt(ownSdJwt, { typ: [CARD_TYP] })
  if (payload.cnf === undefined) refuse('key_binding_required', 'this card names no key by which its agent presents it')
  const shown = new Set(disclosures.filter(({ value, pointer }) => show({ value, pointer })).map(({ pointer }) => pointer))
  return bindPresentation(
    presentSdJwt(ownSdJwt, (pointer) => shown.has(pointer), [CARD_TYP]),
    binding,
    holder,
  )
}

/**
 * A presentation by the agent of a verified card: the same card, signed by the same key of the publisher, and bound to this verifier and nonce.
 * Throws nothing but a Refusal, whatever the text.
 */
export async function verifyCardPresentation(
  { view }: VerifiedCard,
  presentation: string,
  expected: { readonly issuer: string; readonly now: number; readonly keyBinding: KeyBindingExpectation },
): Promise<VerifiedCard> {
  const statement = view.proof?.statement
  const c0 = parseJson(view.c0, { reason: 'card_signature_invalid' })
  if (!statement || !isJsonObject(c0)) return refuse('card_signature_invalid', 'no registered key has signed this card')
  const { card, claims } = await verifyCardCredential(presentation, c0, [{ jwk: statement.jwk, alg: statement.alg }], {
    now: expected.now,
    issuer: statement.owner,
    subject: view.audience,
    vct: cardType(expected.issuer),
    cardId: view.agentId,
    keyBinding: expected.keyBinding,
  })
  if (claims.card_version !== view.version) refuse('sd_jwt_invalid', 'the presentation is of another version')
  return { state: 'verified', view, card, publisher: { owner: statement.owner, jkt: statement.jkt } }
}
