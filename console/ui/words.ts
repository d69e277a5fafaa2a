import type { Output } from '../api/procedures.js'

type Words<Codes extends string> = Readonly<Record<Codes, string>>

/** The parts of a risk. */
export const RISKS: Words<Output<'tokens.risk'>['risk']['parts'][number]['code']> = {
  new_audience: 'This is the first token for this audience.',
  new_scope: 'This is the first token with this scope for this audience.',
  rate: 'The agent requested many more tokens within an hour than usual.',
  deeper: 'The token passed through more agents than any earlier one.',
  new_key: 'The key was first used less than 24 hours earlier.',
}

/** The text of a risk that an approval has kept. A build of another release may have written its code. */
export const riskText = (code: string): string => Object.entries(RISKS).find(([known]) => known === code)?.[1] ?? code

/** What a verdict says about the card of an agent. */
export const VERDICTS: Words<Output<'discovery.search'>['hits'][number]['verdict']['state']> = {
  unsigned: 'The card has no signature. Nothing proves that the publisher wrote it.',
  invalid: 'The signature of the card does not verify.',
  nonconformant: 'The card does not follow A2A, so its signature was not checked.',
  unknown_key: 'The card is signed with a key that is not registered here.',
  signed: 'The card is signed with a registered key of its publisher.',
  verified: 'The card is signed with a registered key, and its organisation has proved the DNS name of the endpoint.',
  stale: 'The card is signed, but its signed non-public parts have expired.',
  revoked: 'The key that signed the card was revoked.',
}
