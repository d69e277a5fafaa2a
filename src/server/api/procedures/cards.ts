/** Rows of PROCEDURES for `cards`. */
export const CARD_PROCEDURES = {
  'cards.next': {
    summary: 'Return the version, release number and claims that the next version of a card must contain.',
    caller: 'the agent, its organisation',
  },
  'cards.publish': { summary: 'Publish a signed card, with its SD-JWT and release policy.', caller: 'the agent, its organisation' },
  'cards.renew': { summary: 'Replace the SD-JWT of a published card without a new version.', caller: 'the agent, its organisation' },
  'cards.import': {
    summary:
      'Store an existing card unchanged, with a verdict on its signatures: from `card`, from `url`, or from the `catalog` of another site (`entry` if it has several agent cards). A card that does not follow A2A is stored as `nonconformant`.',
    caller: 'the agent, its organisation',
  },
  'cards.lint': {
    summary: 'Check a card as `cards.publish` and `cards.import` do, without its signatures; list every fault with its code (CARDS.md).',
    caller: 'anyone',
  },
  'cards.checkFreshness': {
    summary:
      'Compare the published card with the one that the agent serves itself, and ask its endpoint. A version is checked once a day; earlier calls return the last result.',
    caller: 'the agent, its organisation',
  },
  'cards.get': {
    summary:
      'Return the parts of a card that the caller may see, or those that callers of a lower tier see (`as`). The agent and members of its organisation may preview every tier.',
    caller: 'anyone; a token shows more',
  },
  'cards.history': {
    summary: 'List the versions of a public card, newest first: the current one and at most 100 earlier ones.',
    caller: 'anyone; without a published card the agent, its organisation, operators',
  },
  'cards.diff': {
    summary:
      'Compare two versions of a public card by meaning: what it takes away from callers, and what changes in endpoint, security, scopes and skills, apart from prose.',
    caller: 'as cards.history',
  },
  'cards.deprecate': {
    summary: 'Advise callers against the current version of a card and name the agent to call in its place; nothing ends.',
    caller: 'the agent, its organisation',
  },
  'cards.undeprecate': { summary: 'Take a deprecation back.', caller: 'the agent, its organisation' },
  'cards.yank': {
    summary:
      'Withdraw one version of a card for a reason that everyone sees; introductions that were approved for it need another approval. If it is the current version, the agent has no published card.',
    caller: 'the agent, its organisation, operators',
  },
  'cards.unpublish': {
    summary: 'Withdraw a card from readers and from search; its introductions need another approval after the next publication.',
    caller: 'the agent, its organisation, operators',
  },
} as const
