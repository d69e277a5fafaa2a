/** Describes the procedures about sessions, issuers and accounts, for `PROCEDURES`. */
export const PEOPLE_PROCEDURES = {
  'sessions.ticket': {
    summary:
      'Issue a ticket (60 s, once) with which the caller signs in with a browser; `url` opens the sign-in page with it. With `returnTo: "/console"` the sign-in leads to the console, otherwise to the account.',
    caller: 'members, for themselves',
  },
  'sessions.list': {
    summary: 'List the sessions of browsers of the caller, or of `memberId`.',
    caller: 'members for themselves; administrators, operators',
  },
  'sessions.end': { summary: 'Sign a browser out.', caller: 'as sessions.list' },
  'sessions.endAll': {
    summary: 'Sign every browser of the caller, or of `memberId`, out. Keys and tokens stay valid.',
    caller: 'as sessions.list',
  },
  'passkeys.list': { summary: 'List the passkeys of the caller, or of `memberId`.', caller: 'as sessions.list' },
  'passkeys.revoke': {
    summary: 'Revoke a passkey, the sessions that it opened, and the consents that the person gave in them.',
    caller: 'as sessions.list',
  },
  'issuers.register': {
    summary:
      "Register an OpenID Provider with which people of the organisation sign in (`private_key_jwt`; needs the setting `outgoing`). With `autoJoin`, people whose ID token has the claim's value join as `person`.",
    caller: 'administrators',
  },
  'issuers.list': { summary: 'List the OpenID Providers of an organisation.', caller: 'members of the organisation, operators' },
  'issuers.revoke': {
    summary:
      'Revoke an OpenID Provider, the sessions that it opened, and the consents that people gave in them. Members and their links stay.',
    caller: 'administrators, operators',
  },
  'links.list': { summary: "List the caller's accounts at OpenID Providers, or those of `memberId`.", caller: 'as sessions.list' },
  'links.revoke': {
    summary:
      'Revoke the link of an account at an OpenID Provider, the sessions that it opened, and the consents that the person gave in them.',
    caller: 'as sessions.list',
  },
} as const

/** Actions of pages. */
export const PEOPLE_ACTIONS = ['sessions.create', 'passkeys.add', 'links.create'] as const
