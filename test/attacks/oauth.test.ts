// Attacks on registration, introspection and the keys of the registry: the rows of the area oauth that apply without people and mutual TLS.
import { expect } from 'vitest'
import { base64url } from '../../src/lib/bytes.js'
import { systemRandom } from '../../src/lib/random.js'
import { createVerifier } from '../../src/verifier/index.js'
import { claimsOf } from '../claims-of.js'
import { aClient, aPublicClient, issueGrant, register, registerAgent } from '../conformance/registration.js'
import { forge } from '../credentials/forge.js'
import { assertionOf, formWithAssertion, newEs256Signer, postForm, proofOf, tokenRequest } from '../oauth/requests.js'
import { aName, startRegistry } from '../registry.js'
import { aPair, reasonOf } from '../stories/actors.js'
import { attack, attackSetup, raw } from './attack.js'

const setup = attackSetup({ registration: 'token' })
const GRANT = { grant_type: 'client_credentials' }
let granted: Promise<string> | undefined
/** An initial access token for any client, issued once: it is no write of the attack. */
const aGrant = () => {
  granted ??= issueGrant(setup.registry, setup.acme, { ceiling: { scopes: ['discovery:read'] } }).then((one) => one.initialAccessToken)
  return granted
}
const agentCount = async () => (await setup.acme.query<{ items: object[] }>('agents.list', { limit: 100 })).items.length
/** The errors of registrations with these metadata. None may leave an agent. */
async function errorsOf(metadata: readonly object[]): Promise<Set<string>> {
  const token = await aGrant()
  const before = await agentCount()
  const responses = await Promise.all(metadata.map((one) => register(setup.registry, one, token)))
  expect(await agentCount()).toBe(before)
  return new Set(responses.map(({ status, body }) => `${status} ${body.error}`))
}

attack(
  'OAU-09',
  'a client that registers for a shared secret, or for no authentication at a grant of machines, is refused',
  setup,
  async () => {
    const signer = await newEs256Signer()
    const methods = [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'none',
      '',
      'Private_Key_JWT',
      null,
      ['private_key_jwt'],
    ]
    const metadata = [
      ...methods.map((token_endpoint_auth_method) => ({ ...aClient(signer), token_endpoint_auth_method })),
      { ...aClient(signer), client_secret: 'x' },
    ]
    expect(await errorsOf(metadata)).toEqual(new Set(['400 invalid_client_metadata']))
    const { clientId } = setup.planner
    const basic = { authorization: `Basic ${Buffer.from(`${clientId}:x`).toString('base64')}` }
    for (const [form, headers] of [
      [{ client_id: clientId, client_secret: 'x' }, {}],
      [{}, basic],
      [{ client_id: clientId }, {}],
    ] as const) {
      const { status, body } = await postForm(setup.registry, '/oauth/token', { ...GRANT, ...form }, headers)
      expect([status, body.error]).toEqual([401, 'invalid_client'])
    }
  },
)

attack('OAU-10', 'a redirect URI that browsers and servers read in different ways is refused', setup, async () => {
  const uris = [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'blob:https://acme.com/x',
    'http://acme.com/',
    'http://127.0.0.1.evil.com/',
    'https://acme.com/#a',
    'https://*.acme.com/',
    'https://user@acme.com/',
    'https://acme.com/..%2fadmin',
    'https://acme.com/%2e%2e/admin',
    'https://acme.com/a/../b',
    'https://acme.com\\@evil.com/',
    'https://acme.com/\\evil',
    'https://ac\tme.com/',
    ' https://acme.com/',
    'https://acme.com./',
    'https:acme.com/',
    'https:///acme.com/',
    'https://ACME.com/',
    'myapp:/callback',
  ]
  const clients = uris.map((uri) => aPublicClient({ redirect_uris: [uri] }))
  // One among good ones is enough
  const mixed = aPublicClient({ redirect_uris: ['https://acme.com/', 'javascript:alert(1)'] })
  expect(await errorsOf([...clients, mixed])).toEqual(new Set(['400 invalid_redirect_uri']))
})

attack('OAU-21', 'a registration for more than its grant is refused, not clipped, as is a software statement', setup, async () => {
  const signer = await newEs256Signer()
  const wider = [
    { scope: 'discovery:read tasks:write' },
    { scope: 'admin' },
    { scope: 'ocr:read' },
    { grant_types: ['client_credentials', 'password'] },
    { grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:jwt-bearer'] },
    { grant_types: ['implicit'] },
  ].map((changes) => ({ ...aClient(signer), ...changes }))
  expect(await errorsOf(wider)).toEqual(new Set(['400 invalid_client_metadata']))
  const unsigned = `${base64url(new TextEncoder().encode('{"alg":"none"}'))}.e30.`
  expect(await errorsOf([{ ...aClient(signer), software_statement: unsigned }])).toEqual(new Set(['400 invalid_software_statement']))
  // No member of the metadata widens what the grant allows
  const { clientId } = await registerAgent(setup.registry, await aGrant(), {
    client_name: aName('modest'),
    ceiling: { scopes: ['admin'] },
    role: 'administrator',
    orgId: setup.globex.orgId,
  })
  const { ceiling, orgId } = await setup.acme.query<{ ceiling: { rights: object[] }; orgId: string }>('agents.get', { agentId: clientId })
  expect([ceiling.rights, orgId]).toEqual([[{ audience: setup.registry.issuer, scope: 'discovery:read' }], setup.acme.orgId])
})

attack(
  'OAU-22',
  'a flood of registrations gets 429 with Retry-After, and adds no more clients than the limit of the address',
  setup,
  async () => {
    await using limited = await startRegistry({ servers: 1, registration: 'token', limits: 'on' })
    const admin = await limited.organisation('Acme')
    const token = (await issueGrant(limited, admin, { uses: 1000 })).initialAccessToken
    const responses = await Promise.all(Array.from({ length: 30 }, (_, i) => registerAgent(limited, token, { client_name: `Flood ${i}` })))
    const statuses = responses.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20)
    const refused = await register(limited, aPublicClient(), token)
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect((await admin.query<{ items: object[] }>('agents.list', { limit: 100 })).items).toHaveLength(10)
  },
)

attack('OAU-26', 'a token whose client and organisation have both ended is inactive, in either order', setup, async () => {
  const { registry } = setup
  for (const order of [
    ['agent', 'organisation'],
    ['organisation', 'agent'],
  ]) {
    const { planner, ocr, globex } = await aPair(registry)
    const end = (what?: string) =>
      what === 'agent'
        ? registry.operator.mutate('agents.revoke', { agentId: planner.agentId })
        : registry.operator.mutate('organisations.revoke', { orgId: globex.orgId })
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    await end(order[0])
    expect(await ocr.introspect(accessToken)).toEqual({ active: false })
    expect((await tokenRequest(registry, planner, GRANT)).status).toBe(401)
    await end(order[1])
    expect(await ocr.introspect(accessToken)).toEqual({ active: false })
  }
})

attack(
  'OAU-31',
  'authorization_details of any kind are refused by name, because a token that ignores them would be wider than requested',
  setup,
  async () => {
    const { registry, planner } = setup
    const details = [
      '[{"type":"payment_initiation"}]',
      '[{"type":"a2a_task","extra":1}]',
      `[${Array.from({ length: 300 }, () => '{"type":"a"}').join()}]`,
      '[{"type":1}]',
      '{}',
      '[',
    ]
    for (const authorization_details of details)
      expect((await tokenRequest(registry, planner, { ...GRANT, authorization_details })).body.error).toBe('invalid_authorization_details')
  },
  { writes: false },
)

attack(
  'POP-11',
  'headers in which a proxy would name a client certificate are ignored',
  setup,
  async () => {
    const { registry, planner } = setup
    const names = [
      'client-cert',
      'x-client-cert',
      'x-forwarded-client-cert',
      'ssl-client-cert',
      'x-ssl-client-cert',
      'x-amzn-mtls-clientcert',
    ]
    const headers = Object.fromEntries(names.map((name) => [name, `Subject="CN=${planner.clientId}"`]))
    const token = await postForm(registry, '/oauth/token', { ...GRANT, client_id: planner.clientId }, headers)
    expect([token.status, token.body.error]).toEqual([401, 'invalid_client'])
    expect(await raw(registry, '/trpc/tasks.list?input={}', { headers })).toEqual([401, 'invalid_token'])
    const stranger = await newEs256Signer()
    const form = await formWithAssertion(registry, { ...planner, signer: stranger }, GRANT)
    expect((await postForm(registry, '/oauth/token', form, headers)).status).toBe(401)
  },
  { writes: false },
)

attack(
  'JOSE-22',
  'a flood of tokens with unknown kids makes a server read the keys of the registry again once, and keeps no caller out',
  setup,
  async () => {
    const { registry, planner, ocr } = setup
    let reads = 0
    const fetch: typeof globalThis.fetch = (input, init) => {
      if (String(input).endsWith('/jwks.json')) reads++
      return globalThis.fetch(input, init)
    }
    const verifier = createVerifier({
      issuer: registry.issuer,
      audience: ocr.audience,
      publicUrl: 'https://ocr.example',
      standing: { introspect: (token) => ocr.introspect(token) },
      clock: registry.clock,
      fetch,
    })
    const call = async (accessToken: string, { signer } = planner) => {
      const dpop = await proofOf(registry, signer, { path: '', accessToken }, { htu: 'https://ocr.example/' })
      return reasonOf(verifier.verify({ method: 'POST', url: '/', headers: { authorization: `DPoP ${accessToken}`, dpop } }))
    }
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    expect(await call(accessToken)).toBe('done')
    const stranger = await newEs256Signer()
    const kids = Array.from({ length: 100 }, (_, i) => (i % 2 ? systemRandom.token(32) : `made up ${i}`))
    const flood = kids.map(async (kid) =>
      call(await forge({ alg: 'ES256', typ: 'at+jwt', kid }, claimsOf(accessToken), stranger), { signer: stranger } as typeof planner),
    )
    const [outcomes, honest] = await Promise.all([Promise.all(flood), call(accessToken)])
    expect(honest).toBe('done')
    expect([...new Set(outcomes)].filter((one) => one !== 'invalid_token' && one !== 'standing_unknown')).toEqual([])
    expect(reads).toBeLessThanOrEqual(2)
    // The same at the registry, whose clients are looked up by their registered keys
    for (const kid of kids.slice(0, 10)) {
      const assertion = await assertionOf(registry, { ...planner, signer: stranger }, {}, { kid })
      expect((await tokenRequest(registry, planner, GRANT, { assertion, nonce: undefined })).status).toBe(401)
    }
  },
)

attack('JOSE-23', 'a rotation keeps the valid tokens of the old key, and no other key of the set signs a token', setup, async () => {
  const { registry, planner, ocr } = setup
  const exchange = async () => (await planner.exchange({ audience: ocr.audience })).accessToken
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const isActive = async (token: string) => (await ocr.introspect(token)).active
  const old = await exchange()
  const revoked = await exchange()
  await planner.revoke(revoked)
  const { kid: future } = await registry.operator.mutate<{ kid: string }>('signingKeys.rotate', { use: 'token' })
  const forged = await forge({ alg: 'ES256', typ: 'at+jwt', kid: future }, claimsOf(old), await newEs256Signer())
  expect([await isActive(forged), await isActive(old)]).toEqual([false, true])
  registry.clock.advance(121)
  const next = await exchange()
  expect(kidOf(next)).toBe(future)
  expect([await isActive(old), await isActive(next), await isActive(revoked), await isActive(forged)]).toEqual([true, true, false, false])
  await registry.operator.mutate('signingKeys.revoke', { kid: kidOf(old) })
  expect([await isActive(old), await isActive(await exchange())]).toEqual([false, true])
})
