import type { Bounds } from '../../../src/protocol/rights.js'
import type { Output } from '../../api/procedures.js'
import { BoundsText, type WordsOf } from '../../ui/forms/bounds.js'

export type Consent = Output<'consents.get'>

/** What a consent allows, in the form of the bounds of an introduction. */
export const boundsOf = ({ rights, tools, resources, delegation }: Consent): Bounds => ({
  scopes: rights.map(({ scope }) => scope),
  ...(tools && { tools }),
  ...(resources && { resources }),
  ...(delegation && { delegation }),
})

/** The words of the audience, where it has any. */
export const wordsIn =
  ({ words = {} }: Consent): WordsOf =>
  (scope) =>
    Object.hasOwn(words, scope) ? words[scope] : undefined

export const Rights = ({ consent }: { readonly consent: Consent }) => (
  <>
    <BoundsText bounds={boundsOf(consent)} wordsOf={wordsIn(consent)} />
    {!consent.delegation && <p>It may not delegate to other agents.</p>}
  </>
)
