// Planted bugs of the pages, sessions and sign-in: rows of MUTANTS.

const PAGES = ['test/attacks/pages.test.ts']
const SIGN_IN = ['test/identity/people/sign-in.test.ts']
const PASSKEYS = ['test/identity/people/passkeys.test.ts']
const UPSTREAM = ['test/identity/people/upstream.test.ts']
const MEMBERS = ['test/identity/members/get.test.ts']
const ACCOUNT = ['test/identity/people/account.test.ts']
const SESSION_TOKEN = ['test/oauth/session/token-endpoint.test.ts']
const CONSENT_PAGES = 'src/delegation/consents/account-pages.tsx'
const BOUNDS_FORM = 'src/delegation/pages/bounds-form.tsx'
const END_SESSION = 'src/identity/people/end-session.ts'
const SESSION_ENDPOINT = 'src/oauth/session/token-endpoint.ts'
const RFC8628 = ['test/conformance/rfc8628.test.ts']
const DEVICE_AGENTS = ['test/oauth/device/device-agent.test.ts']
const DEVICE_GRANT = 'src/oauth/device/device-code-grant.ts'
const DEVICE_PAGES = 'src/oauth/device/pages.tsx'
const DEVICE_REQUEST = 'src/oauth/device/find-request.ts'
const FORM = 'src/http/pages/form.tsx'
const SESSION = 'src/identity/people/session.ts'
const CEREMONY = 'src/identity/people/passkeys/ceremony.ts'
const PASSKEY = 'src/identity/people/passkeys/passkeys.ts'
const UPSTREAM_SIGN_IN = 'src/identity/people/upstream/sign-in.ts'

/** [rule, file, original text, planted text, tests that may detect it] */
export const PEOPLE_MUTANTS = [
  [
    'only administrators learn which agents another member registered',
    'src/identity/agents/list.ts',
    'if (!member || !mayOversee(caller, member.orgId))',
    'if (!member)',
    MEMBERS,
  ],
  ['a form must come from this registry', FORM, 'headers.origin !== issuer || ', '', PAGES],
  ['a form must not come from another site', FORM, " || (site !== undefined && site !== 'same-origin')", '', PAGES],
  ['a form needs the token of its page', FORM, "if (!equalTexts(form.get(TOKEN) ?? '', formTokenOf(use)))", 'if (false)', PAGES],
  ['the token of a form is for one purpose', FORM, 'form\\0${purpose}\\0${subject}', 'form\\0${subject}', PAGES],
  ['the token of a form is for one subject', FORM, 'form\\0${purpose}\\0${subject}', 'form\\0${purpose}', PAGES],
  ['no frame shows a page', 'src/http/pages/html.ts', '      "frame-ancestors \'none\'",\n', '', PAGES],
  ['marks of direction do not reach a page', 'src/http/pages/foreign.tsx', 'withoutUnprintable(text)', 'text', PAGES],
  ['a text of others is bounded', 'src/http/pages/foreign.tsx', 'shortened(shown, max)', 'shown', PAGES],
  ['a session ends with its key', SESSION, ' || !codeStands(deps.trustLog, session.dependsOn)', '', SIGN_IN],
  ['a session has an absolute end', SESSION, 'Math.min(endsAt, now + IDLE_SECONDS)', 'now + IDLE_SECONDS', SIGN_IN],
  [
    'a step of a sign-in gets a new cookie',
    'src/identity/people/sign-in.ts',
    'const cookie = deps.random.token(SECRET_BYTES)\n  await deps.people.signIns.insert',
    "const cookie = 'A'.repeat(43)\n  await deps.people.signIns.insert",
    PAGES,
  ],
  [
    'failed sign-ins are counted',
    'src/identity/people/sign-in.ts',
    '  if (refusal) throw refusal\n  const proved',
    '  const proved',
    PAGES,
  ],
  ['a sign-in opens one session', 'src/identity/people/sign-in.ts', 'consuming === undefined ? []', 'true ? []', SIGN_IN],
  ['a passkey verifies its user', CEREMONY, 'requireUserVerification: true', 'requireUserVerification: false', PASSKEYS],
  ['a passkey is of this origin', CEREMONY, 'expectedOrigin: issuer', "expectedOrigin: [issuer, 'https://evil.example']", PASSKEYS],
  ['a passkey names its person', CEREMONY, 'if (userHandle !== userHandleOf(passkey.memberId)) return deny()', '', PASSKEYS],
  [
    'passkeys that a compromised key added end with it',
    'src/server/finders.ts',
    '        signInsGrantedBy(stores, handle, since),\n',
    '',
    PASSKEYS,
  ],
  ['passkeys are counted in the commit', PASSKEY, '        ...counting,\n', '', PASSKEYS],
  ['accounts are counted in the commit', UPSTREAM_SIGN_IN, '        ...counting,\n', '', UPSTREAM],
  ['issuers are counted in the commit', 'src/identity/people/upstream/issuers.ts', '        ...counting,\n', '', UPSTREAM],
  [
    'revoked passkeys hide none that stands',
    'src/identity/people/limits/standing.ts',
    'if (next === undefined) return found',
    'if (next === undefined || true) return found',
    PASSKEYS,
  ],
  ['a challenge expires', PASSKEY, ' && ceremony.expiresAt > now', '', PASSKEYS],
  [
    'a sign-in with what was revoked opens no session',
    'src/identity/people/sign-in.ts',
    'codeStands(deps.trustLog, grant.dependsOn) && ',
    '',
    PASSKEYS,
  ],
  [
    'a sign-in with a provider is confirmed',
    'src/identity/people/sign-in-pages.tsx',
    "if (!begun?.offered) return seeOther('/sign-in')\n  const { member",
    "if (begun?.offered) return signIn(deps, request, begun.offered, { returnTo: begun.returnTo, consuming: begun.id })\n  if (!begun?.offered) return seeOther('/sign-in')\n  const { member",
    UPSTREAM,
  ],
  [
    'a revoked issuer signs nobody in',
    UPSTREAM_SIGN_IN,
    '[issuer.handle, organisation.handle]) ? issuer',
    '[organisation.handle]) ? issuer',
    UPSTREAM,
  ],
  ['only accounts of the rule join', UPSTREAM_SIGN_IN, '  if (!mayJoin(issuer, claims)) return refuseAccount()\n', '', UPSTREAM],
  ['an invitation is redeemed once by accounts', UPSTREAM_SIGN_IN, ', deps.members.invitations.taking(id, { codeHash })]', ']', UPSTREAM],
  [
    'an invitation is no second membership of an account',
    UPSTREAM_SIGN_IN,
    'if (known && !replaced && invitation)',
    'if (false)',
    UPSTREAM,
  ],
  [
    'the invitation of an account still stands',
    UPSTREAM_SIGN_IN,
    'await requireOpenInvitation(deps, await deps.members.invitations.get(invitation.id), now)',
    '(await deps.members.invitations.get(invitation.id)) ?? refuseAccount()',
    UPSTREAM,
  ],
  ['a page of a consent is for its person', CONSENT_PAGES, 'view.memberId === person.id ?', 'true ?', ACCOUNT],
  ['a box that the page did not have is refused', BOUNDS_FORM, 'if (!values.some((value) => value === one))', 'if (false)', ACCOUNT],
  ['the boxes of a page narrow', BOUNDS_FORM, '...(keptScopes.length < scopes.length && { scopes: keptScopes }),', '', ACCOUNT],
  ['a token of a session ends with it', END_SESSION, 'tokensHandle === undefined ? []', 'true ? []', SESSION_TOKEN],
  [
    'a session remembers the handle of its tokens',
    SESSION_ENDPOINT,
    '    alongside: [deps',
    '    alongside: true ? [] : [deps',
    SESSION_TOKEN,
  ],
  [
    'a page sends its token for a script',
    FORM,
    "if (!equalTexts(String(request.headers[SCRIPT_HEADER] ?? '')",
    "if (false && !equalTexts(String(request.headers[SCRIPT_HEADER] ?? '')",
    SESSION_TOKEN,
  ],
  [
    'the token of a session makes no credential',
    'src/http/trpc/procedures.ts',
    'if (sessionId !== undefined)\n',
    'if (false)\n',
    SESSION_TOKEN,
  ],
  [
    'the token of a session makes no code for a member',
    'src/identity/keys/routes.ts',
    'if (!AgentId.safeParse(input.clientId).success) requireKeyToken(ctx.caller)',
    '',
    SESSION_TOKEN,
  ],
  [
    'the agents below an agent are listed to callers that may see it',
    'src/identity/agents/list.ts',
    "if (filter.parent) await requireAgent(deps, caller, filter.parent, 'see')",
    '',
    ['test/identity/agents/list.test.ts'],
  ],
  [
    'the risk of an agent is shown to those that see its tokens',
    'src/oauth/verification/agent-risk.ts',
    '!(client.id === caller.id || maySee(caller, client.orgId))',
    'false',
    ['test/oauth/verify.test.ts'],
  ],
  ['a device code is of its client', DEVICE_GRANT, 'isOfClient && isOfKey ?', 'isOfKey ?', RFC8628],
  ['a device code is of its key', DEVICE_GRANT, 'isOfClient && isOfKey ?', 'isOfClient ?', RFC8628],
  ['a device code is compared', DEVICE_GRANT, ' || !equalTexts(digest, device.code)', '', RFC8628],
  ['a device code expires', DEVICE_GRANT, 'device.expiresAt <= now || ', '', RFC8628],
  ['a device that polls too early slows down', DEVICE_GRANT, 'if (!polled || isTooEarly)', 'if (!polled)', RFC8628],
  ['the interval grows', DEVICE_GRANT, 'Math.min(interval + SLOWER_SECONDS, MAX_INTERVAL_SECONDS)', 'interval', RFC8628],
  ['a denied device gets access_denied', DEVICE_GRANT, "if (device.decision === 'denied')", 'if (false)', RFC8628],
  ['wrong user codes of a session are counted', DEVICE_PAGES, 'wrongUserCodes.take(person.sessionId) ?? ', '', RFC8628],
  ['wrong user codes of an address are counted', DEVICE_PAGES, ' ?? wrongUserCodesOfAddress.take(address)', '', RFC8628],
  ['only who typed the code decides about the device', DEVICE_REQUEST, ' && memberId === person.id', '', RFC8628],
  ['a decided or expired user code is refused', DEVICE_REQUEST, 'decision === undefined && expiresAt > now', 'true', RFC8628],
  [
    'one browser decides about a device',
    'src/oauth/authorize/decision.ts',
    'devices.changing(device.id, { decision: null }',
    'devices.changing(device.id, {}',
    ['test/stories/person-races.test.ts'],
  ],
  [
    'the ceiling of an agent on a device is the consent',
    'src/identity/agents/find.ts',
    ', ...(ofDevice ? [ofDevice] : [])]',
    ']',
    DEVICE_AGENTS,
  ],
  ['an agent on a device ends with the last consent', 'src/identity/agents/find.ts', ' || (memberId && !ofDevice)', '', DEVICE_AGENTS],
  [
    'an agent on a device acts for its person only',
    'src/oauth/authorize/offer.ts',
    'client.memberId !== undefined && person && client.memberId !== person.id',
    'false',
    DEVICE_AGENTS,
  ],
  ['a member revokes the agent of its device', 'src/identity/agents/authority.ts', 'id === memberId || ', '', DEVICE_AGENTS],
  [
    'a new agent on a device needs a proof',
    'src/oauth/device/device-authorization-endpoint.ts',
    "if (!proof) return refuse('invalid_dpop_proof'",
    "if (!proof) return refuse('invalid_request'",
    DEVICE_AGENTS,
  ],
]
