import type { Fault } from '../../errors.js'

interface CardRule {
  /** `error`: a card with this fault cannot be published, or imported. `warning`: it can. */
  readonly publish: 'error' | 'warning'
  readonly import: 'error' | 'warning'
  readonly text: string
}

/** The rules by which a card is checked. Their names do not change, so that tools can rely on them. docs/CARDS.md lists them (a test compares). */
export const CARD_RULES = {
  'not-json': {
    publish: 'error',
    import: 'error',
    text: 'The file is not a JSON object, or not I-JSON (RFC 7493), or larger than 64 KiB.',
  },
  'no-endpoint': { publish: 'error', import: 'error', text: 'The card names no endpoint.' },
  'missing-member': { publish: 'error', import: 'warning', text: 'A required member is missing.' },
  'wrong-type': { publish: 'error', import: 'warning', text: 'The value of a member has another type.' },
  'too-small': { publish: 'error', import: 'warning', text: 'A text or list is empty.' },
  'too-large': { publish: 'error', import: 'warning', text: 'A text or list is larger than the registry stores.' },
  'invalid-value': { publish: 'error', import: 'warning', text: 'A member has a value that A2A does not define.' },
  'invalid-url': { publish: 'error', import: 'warning', text: 'A link is not an absolute http or https URL.' },
  'unknown-scheme-kind': { publish: 'error', import: 'warning', text: 'A security scheme is of no kind that A2A defines.' },
  'undeclared-scheme': {
    publish: 'error',
    import: 'warning',
    text: 'A security requirement names a scheme that the card does not declare.',
  },
  'duplicate-skill': { publish: 'error', import: 'warning', text: 'Two skills have the same id.' },
  'several-of-one': {
    publish: 'error',
    import: 'warning',
    text: 'A security scheme has several kinds, or several OAuth flows: peers read the first one, or none.',
  },
  'named-twice': {
    publish: 'error',
    import: 'warning',
    text: 'A member is present under both of its names, such as `skills` beside a second spelling.',
  },
  'in-memory-form': {
    publish: 'error',
    import: 'warning',
    text: 'A security scheme has the form of an SDK object in memory (`$case`), which only that SDK reads.',
  },
  'old-version': { publish: 'error', import: 'warning', text: 'The card is of A2A 0.1 or 0.2.' },
  'address-not-public': {
    publish: 'error',
    import: 'warning',
    text: 'Callers cannot reach an address over the public internet, or not with https.',
  },
  'invisible-text': {
    publish: 'warning',
    import: 'warning',
    text: 'A text has characters that are invisible or change its direction; search ignores them.',
  },
  'unusable-interface': { publish: 'warning', import: 'warning', text: 'The address of an interface does not fit its binding.' },
} as const satisfies Readonly<Record<string, CardRule>>

export type CardRuleCode = keyof typeof CARD_RULES

/** A fault of a card. The pointer is that of the file as its publisher wrote it. */
export interface CardFault extends Fault {
  readonly code: CardRuleCode
}
