import { expect } from 'vitest'
import { freshNonce, proofOf, tokenRequest } from '../oauth/requests.js'
import { attack, attackSetup, raw } from './attack.js'

const setup = attackSetup()
const GRANT = { grant_type: 'client_credentials' }

const call = (headers: Record<string, string>, path = '/trpc/tasks.list') => raw(setup.registry, path, { headers })
const credentials = async (changes: object = {}, claims: object = {}) => {
  const { accessToken } = await setup.planner.token()
  return {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(
      setup.registry,
      setup.planner.signer,
      { htm: 'GET', path: '/trpc/tasks.list', accessToken, ...changes },
      claims as never,
    ),
  }
}
attack('POP-01', 'of 50 concurrent uses of one proof one succeeds, at the token endpoint and at a resource', setup, async () => {
  const used = await credentials()
  const responses = await Promise.all(Array.from({ length: 50 }, () => call(used)))
  expect(responses.filter(([status]) => status === 200)).toHaveLength(1)
  const proof = await proofOf(setup.registry, setup.planner.signer, {
    path: '/oauth/token',
    nonce: await freshNonce(setup.registry, setup.planner),
  })
  const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenRequest(setup.registry, setup.planner, GRANT, { proof })))
  expect(tokens.filter(({ status }) => status === 200)).toHaveLength(1)
})
for (const htu of [
  'https://127.0.0.1/trpc/tasks.list',
  '/trpc/tasks.list',
  'PATH/',
  'PATH%6C',
  'http://user@127.0.0.1/trpc/tasks.list',
  '',
])
  attack(
    'POP-03',
    `a proof with htu "${htu}" gets invalid_token`,
    setup,
    async () =>
      expect(await call(await credentials({}, { htu: htu.replace('PATH', `${setup.registry.issuer}/trpc/tasks.lis`) }))).toEqual([
        401,
        'invalid_token',
      ]),
    { writes: false },
  )
attack(
  'POP-04',
  'a proof for another host gets invalid_token, even if forged forwarded headers match it',
  setup,
  async () => {
    const forged = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example;proto=https' }
    expect(await call({ ...(await credentials({}, { htu: 'https://evil.example/trpc/tasks.list' })), ...forged })).toEqual([
      401,
      'invalid_token',
    ])
  },
  { writes: false },
)
attack(
  'POP-05',
  'a proof with a missing, wrong or foreign ath gets invalid_token',
  setup,
  async () => {
    for (const ath of [undefined, 'A'.repeat(43), '']) expect(await call(await credentials({}, { ath }))).toEqual([401, 'invalid_token'])
    const other = (await setup.ocr.token()).accessToken
    expect(await call({ ...(await credentials()), authorization: `DPoP ${other}` })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack(
  'POP-05',
  'a stolen token with a proof of another key gets invalid_token',
  setup,
  async () => {
    const { accessToken } = await setup.planner.token()
    const dpop = await proofOf(setup.registry, setup.outsider.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken })
    expect(await call({ authorization: `DPoP ${accessToken}`, dpop })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack(
  'POP-06',
  'a bound token sent as Bearer, two tokens and two proofs get invalid_token',
  setup,
  async () => {
    const good = await credentials()
    expect(await call({ ...good, authorization: good.authorization.replace('DPoP', 'Bearer') })).toEqual([401, 'invalid_token'])
    expect(await call({ ...good, authorization: `${good.authorization}, ${good.authorization}` })).toEqual([401, 'invalid_token'])
    expect(await call({ ...good, dpop: `${good.dpop}, ${good.dpop}` })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack('POP-07', 'a missing, forged or old nonce gets use_dpop_nonce, and the fresh one is accepted by every server', setup, async () => {
  for (const nonce of [undefined, '', 'x', '1.2.3', `${setup.registry.clock.now()}.1.AAAA`]) {
    const response = await tokenRequest(setup.registry, setup.planner, GRANT, { nonce })
    expect([response.status, response.body.error]).toEqual([400, 'use_dpop_nonce'])
    expect(response.headers.get('dpop-nonce')).toMatch(/^\d+\.\d+\./)
  }
  const nonce = await freshNonce(setup.registry, setup.planner)
  for (let i = 0; i < 3; i++) expect((await tokenRequest(setup.registry, setup.planner, GRANT, { nonce })).status).toBe(200)
})
for (const iat of [-600, 600, 0.5, -(2 ** 63), Number.MAX_SAFE_INTEGER])
  attack(
    'POP-08',
    `a proof with iat off by ${iat} s gets invalid_dpop_proof`,
    setup,
    async () => {
      const { registry, planner } = setup
      const nonce = await freshNonce(registry, planner)
      const proof = await proofOf(registry, planner.signer, { path: '/oauth/token', nonce }, { iat: registry.clock.now() + iat })
      expect((await tokenRequest(registry, planner, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
    },
    { writes: false },
  )
for (const header of [
  { alg: 'none' },
  { alg: 'HS256' },
  { alg: 'RS1' },
  { typ: 'JWT' },
  { jwk: { kty: 'RSA', n: 'x'.repeat(171), e: 'AQAB' } },
])
  attack(
    'POP-09',
    `a proof with the header ${JSON.stringify(header).slice(0, 40)} gets invalid_dpop_proof`,
    setup,
    async () => {
      const { registry, planner } = setup
      const nonce = await freshNonce(registry, planner)
      const good = await proofOf(registry, planner.signer, { path: '/oauth/token', nonce })
      const [head = '', body, tail] = good.split('.')
      const changed = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...header }
      const proof = `${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${body}.${tail}`
      expect((await tokenRequest(registry, planner, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
    },
    { writes: false },
  )
