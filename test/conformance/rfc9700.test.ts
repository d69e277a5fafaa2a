// Advice of RFC 9700 (security best current practice) and RFC 6819 (threat model), as far as it concerns an authorization server: each item with the test
// that shows it. The tests run where they are; here each item must name one that exists.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const AUTHORIZATION = 'test/conformance/authorization.test.ts'
const ATTACKS = 'test/attacks/authorization.test.ts'
const PAGES = 'test/attacks/pages.test.ts'
const CODES = 'test/oauth/grants/authorization-code.test.ts'
const PUBLIC = 'test/oauth/grants/public-client.test.ts'
const RACES = 'test/stories/person-races.test.ts'
const RULES = 'test/oauth/authorize/client-rules.test.ts'
const STOCK = 'test/oauth/authorize/stock-clients.test.ts'

test.each([
  [
    'RFC 9700 §2.1: redirect URIs are compared as exact strings',
    AUTHORIZATION,
    '§3.1.2.3: a redirect URI with %s is not that of the client',
  ],
  ['RFC 9700 §2.1: no open redirector', ATTACKS, '%s leads to no other site, with a session or without'],
  ['RFC 9700 §2.1: CSRF of the redirect is prevented by PKCE and state', STOCK, 'openid-client pushes a request with DPoP'],
  ['RFC 9700 §2.1.1: PKCE with S256 for every client, and no downgrade', AUTHORIZATION, '§4.3: no method, which means plain'],
  ['RFC 9700 §2.1.1: the server enforces the verifier', AUTHORIZATION, '§4.6: the verifier of the request redeems the code, and no other'],
  ['RFC 9700 §2.1.2: no implicit grant', AUTHORIZATION, '§4.1.1: a request without response_type, or with another than code, is refused'],
  [
    'RFC 9700 §2.2.1: access tokens are bound to their sender',
    CODES,
    'a root token for a person is exchanged by its client only, with its key',
  ],
  ['RFC 9700 §2.2.2: refresh tokens of public clients rotate', PUBLIC, 'a public client with plain parameters and a loopback port asks'],
  [
    'RFC 9700 §2.3: tokens have the least privilege: one audience',
    AUTHORIZATION,
    'of several authorized resources the token request names one, and no other',
  ],
  ['RFC 9700 §2.3: tokens have the least privilege: what the person ticks', PUBLIC, 'what a person has not ticked is not granted'],
  [
    'RFC 9700 §2.5: clients authenticate by asymmetric cryptography',
    AUTHORIZATION,
    '§4.1.3: a code is not redeemed without authentication of its client',
  ],
  ['RFC 9700 §2.6: metadata of the server', AUTHORIZATION, '§3: the metadata say so'],
  ['RFC 9700 §4.1: insufficient validation of redirect URIs', AUTHORIZATION, '§4.1.2.1: with an unknown client or a redirect URI'],
  ['RFC 9700 §4.2.4: no leak by the referrer, and codes are used once', CODES, 'that is used again later ends what the first use got'],
  ['RFC 9700 §4.4: mix-up', STOCK, 'Mix-up: the response of another server'],
  ['RFC 9700 §4.4.2.1: the response names its issuer', AUTHORIZATION, '§2: a response with a code has iss, and so has an error'],
  ['RFC 9700 §4.5: code injection', ATTACKS, 'a code of another session is refused without the verifier of that session'],
  ['RFC 9700 §4.7: CSRF', ATTACKS, '%s is refused from another site, and without the token of its page'],
  ['RFC 9700 §4.8: PKCE downgrade', AUTHORIZATION, '§4.2: plain'],
  [
    'RFC 9700 §4.11.2: no redirect with an error to a client that nobody trusts',
    RULES,
    'a client that nobody trusts gets an error by a link',
  ],
  [
    'RFC 9700 §4.11.2: errors before the redirect URI is known are shown here',
    AUTHORIZATION,
    '§4.1.2.1: with an unknown client or a redirect URI',
  ],
  ['RFC 9700 §4.12: the redirect after a POST is 303', AUTHORIZATION, '§4.1.2: the response has code and the state of the request'],
  ['RFC 9700 §4.14.2: a second use of a refresh token ends its family', CODES, 'is replaced at each use; the older one ends the family'],
  ['RFC 9700 §4.14.2: refresh tokens are bound to client, scope and resource', CODES, 'gives no wider scope and no other audience'],
  [
    'RFC 9700 §4.15: ids of clients and of people cannot be confused',
    AUTHORIZATION,
    '§2.1: without a resource the request is for the registry itself',
  ],
  ['RFC 9700 §4.16: clickjacking', ATTACKS, 'the consent page, a page of an error and the page with a link cannot be framed'],
  [
    'RFC 6819 §4.2.1: password phishing by counterfeit pages: the client is shown as what it is',
    ATTACKS,
    'a client that calls itself like the registry',
  ],
  ['RFC 6819 §4.2.2, §5.2.4.2: the person sees what it allows, and can narrow it', PUBLIC, 'what a person has not ticked is not granted'],
  [
    'RFC 6819 §4.2.3: malicious client obtains authorization by automatic processing',
    PUBLIC,
    'the page is shown also for an https redirect and rights that it has',
  ],
  ['RFC 6819 §4.4.1.1: codes are short-lived', CODES, 'expires after 60 seconds'],
  ['RFC 6819 §4.4.1.3: codes cannot be guessed', CODES, 'that was never issued (%s) is refused'],
  [
    'RFC 6819 §4.4.1.4: unknown clients need an administrator',
    RULES,
    'waits for an administrator, and gets its code once the person repeats',
  ],
  ['RFC 6819 §4.4.1.7: a code is bound to its redirect URI and client', CODES, 'of another client is refused and stays good'],
  [
    'RFC 6819 §4.4.1.8: CSRF against the page of the decision',
    AUTHORIZATION,
    'another site, another session and a form without token cannot decide',
  ],
  [
    'RFC 6819 §4.4.1.10: resource owner is not impersonated: the page needs a session and its token',
    ATTACKS,
    'a page that the attacker opened is not decided',
  ],
  ['RFC 6819 §4.4.1.11: requests are limited', PAGES, '60 pushed requests a minute of one client'],
  ['RFC 6819 §4.4.1.11: sign-ins are limited', PAGES, 'after ten failed tickets from an address'],
  ['RFC 6819 §4.4.1.12: uses of one code at once', RACES, 'of eight uses of a code one succeeds'],
  [
    'RFC 6819 §5.1.4.1: no refresh token in the store or a backup',
    CODES,
    'is in no backup: the store has neither codes nor refresh tokens',
  ],
  [
    'RFC 6819 §5.2.2.4: a client revokes its refresh token, which ends everything that came from it',
    PUBLIC,
    'a public client revokes its access token',
  ],
  ['RFC 6819 §5.2.3.6: session fixation', PAGES, 'a session cookie that the browser had before the sign-in is replaced'],
])('%s', (_, file, title) => {
  expect(readFileSync(file, 'utf8')).toContain(title)
})
