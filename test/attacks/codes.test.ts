// Attacks on authorization requests, codes and refresh tokens: the rows of the area oauth about what a person allows.
import * as oauth from 'oauth4webapi'
import { beforeAll, expect } from 'vitest'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { claimsOf } from '../claims-of.js'
import { aPublicClient, issueGrant, register } from '../conformance/registration.js'
import {
  authorizationForm,
  codeFor,
  decide,
  type PersonWorld,
  pageOf,
  personWorld,
  push,
  REDIRECT,
  redeem,
  refresh,
  returned,
} from '../oauth/authorize/person-world.js'
import { postForm } from '../oauth/requests.js'
import { attack, attackSetup } from './attack.js'

const RESOURCE = 'http://127.0.0.1:9/notes'
const setup = attackSetup({ registration: 'token', bearerTokens: true })
let world: PersonWorld
/** A public client, whose requests the browser brings. */
let publicId: string
beforeAll(async () => {
  const { registry } = setup
  world = await personWorld(registry)
  await world.admin.mutate('resources.register', {
    uri: RESOURCE,
    name: 'Notes',
    scopes: [{ scope: 'notes:read', words: 'Read notes' }],
    policy: { mode: 'ask', externalClients: 'withPerson' },
    bearer: 'allowed',
  })
  const { initialAccessToken } = await issueGrant(registry, world.admin)
  const metadata = aPublicClient({ redirect_uris: [REDIRECT, 'http://127.0.0.1/cb'] })
  publicId = (await register(registry, metadata, initialAccessToken)).body.client_id
})

const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }
type Changes = Readonly<Record<string, string | undefined>>
/** The page of a request that the browser of the person brings for the public client. */
function authorize(changes: Changes = {}) {
  const form = { ...authorizationForm(setup.registry, world), client_id: publicId, resource: RESOURCE, ...changes }
  const pairs = Object.entries(form).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return world.browser.get(`/oauth/authorize?${new URLSearchParams(pairs)}`)
}
const month = () => ({
  duration: 'until',
  until: new Date((setup.registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10),
})
const code = (more: Changes = {}, fields = {}) =>
  codeFor(setup.registry, world, { resource: world.ocr.audience, scope: 'ocr:read', prompt: 'consent', ...more }, fields)
/** The tokens of a new family with refresh tokens. */
const offline = async () => (await redeem(setup.registry, world, await code({ scope: 'ocr:read offline_access' }, month()))).body
const isActive = async (token: string) => (await world.ocr.introspect(token)).active
/** The handles of a token that end with its family. */
const familyOf = (token: string): string => {
  const { standing } = claimsOf(token) as { standing: { dependsOn: string[] } }
  return standing.dependsOn.find((handle) => handle.startsWith('fam:')) ?? 'no family'
}

attack(
  'OAU-11',
  'a redirect URI that is not exactly one of the client is shown as an error here, and no browser is sent there',
  setup,
  async () => {
    const uris = [
      `${REDIRECT}/`,
      'https://client.example/Callback',
      'https://CLIENT.example/callback',
      'https://client.example:443/callback',
      'https://client.example:8443/callback',
      `${REDIRECT}?next=1`,
      'https://client.example/%63allback',
      'https://client.example/a/%2e%2e/callback',
      'https://client.example.evil.com/callback',
      'https://client.example@evil.com/callback',
      'https://evil.com/callback',
      `${REDIRECT}\\@evil.com`,
      `${REDIRECT}\t`,
      'http://127.0.0.1.evil.com/cb',
      'http://127.0.0.1:1@evil.com/cb',
      'http://localhost/cb',
      'http://127.0.0.1/cb/../x',
      'javascript:alert(1)',
      '',
      undefined,
    ]
    for (const redirect_uri of uris) {
      const shown = await authorize({ redirect_uri })
      expect([redirect_uri, shown.status, shown.location]).toEqual([redirect_uri, 400, undefined])
      expect((await push(setup.registry, world, { redirect_uri })).body.error).toBe('invalid_request')
    }
    expect((await authorize({ redirect_uri: 'http://127.0.0.1:5000/cb' })).status).toBe(200)
  },
)

attack('OAU-12', 'a code without its verifier is refused, to an agent and to a public client', setup, async () => {
  for (const code_verifier of [undefined, '', digestOfText('x'), 'v'.repeat(42), 'v'.repeat(44)]) {
    expect(await redeem(setup.registry, world, await code(), { code_verifier: code_verifier as string })).toMatchObject(invalidGrant)
  }
  const { code: stolen = '' } = returned(await decide(world.browser, await authorize()))
  const form = { grant_type: 'authorization_code', code: stolen, redirect_uri: REDIRECT, client_id: publicId }
  expect(await postForm(setup.registry, '/oauth/token', form)).toMatchObject(invalidGrant)
})

attack(
  'OAU-13',
  'a request without a challenge, or with the method plain, gets no code; the URL of the browser cannot replace the challenge',
  setup,
  async () => {
    const changes = [
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge: undefined },
      { code_challenge: '' },
      { code_challenge_method: 'plain' },
      { code_challenge_method: undefined },
      { code_challenge_method: 's256' },
      { code_challenge: 'v'.repeat(43), code_challenge_method: 'plain' },
    ]
    for (const change of changes) {
      expect(await push(setup.registry, world, change)).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      const answer = await authorize(change)
      expect([answer.location && returned(answer).error, answer.location && returned(answer).code]).toEqual(['invalid_request', undefined])
    }
    const verifier = 'a'.repeat(43)
    const { body } = await push(setup.registry, world, { resource: world.ocr.audience, prompt: 'consent' })
    const extra = new URLSearchParams({ code_challenge: digestOfText(verifier), code_challenge_method: 'S256' })
    const shown = await world.browser.get(`${pageOf(world, body.request_uri)}&${extra}`)
    const pushed = returned(await decide(world.browser, shown)).code ?? ''
    expect(await redeem(setup.registry, world, pushed, { code_verifier: verifier })).toMatchObject(invalidGrant)
  },
)

attack(
  'OAU-14',
  'a code is good once, for its client and for 60 s; a second use ends what the first got, and is in the audit log',
  setup,
  async () => {
    const { registry } = setup
    const first = await code()
    const { body } = await redeem(registry, world, first)
    registry.clock.advance(6)
    expect(await isActive(body.access_token)).toBe(true)
    expect(await redeem(registry, world, first)).toMatchObject(invalidGrant)
    expect(await isActive(body.access_token)).toBe(false)
    const { items } = await world.admin.query<{ items: { facts?: object }[] }>('audit.list', {
      action: 'oauth.token',
      actor: world.client.agentId,
    })
    expect(items.filter(({ facts }) => JSON.stringify(facts)?.includes('"reused":"code"'))).toHaveLength(1)

    const ofOther = await code()
    expect(await redeem(registry, { ...world, client: world.archive }, ofOther)).toMatchObject(invalidGrant)
    const asPublic = { grant_type: 'authorization_code', code: ofOther, redirect_uri: REDIRECT, code_verifier: 'v'.repeat(43) }
    expect(await postForm(registry, '/oauth/token', { ...asPublic, client_id: publicId })).toMatchObject(invalidGrant)
    const late = await code()
    registry.clock.advance(61)
    expect(await redeem(registry, world, late)).toMatchObject(invalidGrant)
  },
)

attack('OAU-15', 'a refresh token that was replaced ends its family, and subscribers are notified', setup, async () => {
  const { registry } = setup
  const feed = await world.ocr.subscribe()
  const first = await offline()
  const { body: second } = await refresh(registry, world, first.refresh_token)
  expect(await refresh(registry, world, first.refresh_token)).toMatchObject(invalidGrant)
  await feed.sync()
  expect(feed.ended.has(familyOf(second.access_token) as never)).toBe(true)
  feed.close()
  expect([await isActive(first.access_token), await isActive(second.access_token)]).toEqual([false, false])
  expect(await refresh(registry, world, second.refresh_token)).toMatchObject(invalidGrant)
})

attack(
  'OAU-16',
  'of 50 uses of a refresh token at once at most one succeeds, and the token of the winner ends with the family',
  setup,
  async () => {
    const { refresh_token: token } = await offline()
    const all = await Promise.all(Array.from({ length: 50 }, () => refresh(setup.registry, world, token)))
    const won = all.filter(({ status }) => status === 200)
    expect(won.length).toBeLessThanOrEqual(1)
    for (const { status, body } of all) expect([200, 400]).toContain(status === 400 && body.error === 'invalid_grant' ? 400 : status)
    for (const { body } of won) expect(await isActive(body.access_token)).toBe(false)
  },
)

attack('OAU-18', 'a refresh gives no wider scope, no other audience and no longer delegation than was allowed', setup, async () => {
  const { registry } = setup
  const { refresh_token: token } = await offline()
  const wider = { depth: 1, rights: [{ audience: world.archive.audience, scope: 'ocr:read' }] }
  const errors = []
  for (const more of [
    { scope: 'ocr:read ocr:admin' },
    { scope: 'ocr:*' },
    { resource: world.archive.audience },
    { resource: registry.issuer },
    { audience: RESOURCE },
    { delegation: JSON.stringify(wider) },
  ])
    errors.push((await refresh(registry, world, token, more)).body.error)
  expect(errors).toEqual(['invalid_scope', 'invalid_scope', 'invalid_target', 'invalid_target', 'invalid_target', 'delegation_too_deep'])
  // A refused request uses up nothing
  expect(await refresh(registry, world, token)).toMatchObject({ status: 200, body: { scope: 'ocr:read' } })
})

attack(
  'OAU-19',
  'a stock client notices a response of another registry, or without its issuer, because the metadata announce iss',
  setup,
  async () => {
    const { registry } = setup
    const issuer = new URL(registry.issuer)
    const request = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', [oauth.allowInsecureRequests]: true })
    const as = await oauth.processDiscoveryResponse(issuer, request)
    const client: oauth.Client = { client_id: publicId }
    const validate = (url: URL) => oauth.validateAuthResponse(as, client, url, 'the state')
    for (const decision of ['allow', 'deny']) {
      const { location = '' } = await decide(world.browser, await authorize(), { decision })
      const ofOther = new URL(location)
      ofOther.searchParams.set('iss', 'https://evil.example')
      const without = new URL(location)
      without.searchParams.delete('iss')
      expect(() => validate(ofOther)).toThrow(/iss/)
      expect(() => validate(without)).toThrow(/iss/)
      if (decision === 'allow') expect(validate(new URL(location)).get('iss')).toBe(registry.issuer)
      else expect(() => validate(new URL(location))).toThrow(oauth.AuthorizationResponseError)
    }
  },
)
