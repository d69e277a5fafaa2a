/** Describes the procedures about consents, for PROCEDURES. */
export const CONSENT_PROCEDURES = {
  'consents.list': {
    summary:
      'List consents, newest first: of one person (default: the caller), or to one client; with `usedSince` only those that were used since then.',
    caller: 'the person, administrators of the organisation of the person or the client, operators',
  },
  'consents.get': {
    summary: 'Return a consent, with the time of its last use. The person and its administrators also see the words of the scopes.',
    caller: 'the person, administrators of the organisation of the person or the client, operators',
  },
  'consents.narrow': { summary: 'Narrow a consent. Tokens that were issued under it end.', caller: 'the person' },
  'consents.revoke': {
    summary: 'End a consent, every token for the person under it, and the refresh families that stand on it.',
    caller: 'the person, administrators of the organisation of the person or the client, operators',
  },
  'families.list': {
    summary:
      'List families of refresh tokens, newest first, with their last use: under a consent, of a client, or of one person (default: the caller).',
    caller: 'the person, the client, administrators of the organisation of the person or the client, operators',
  },
  'families.revoke': {
    summary: 'Revoke a family: its refresh token, and every token that was issued with it. The consents stay valid.',
    caller: 'as families.list',
  },
} as const
