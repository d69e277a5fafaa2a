import { expect } from 'vitest'
import { freshNonce, proofOf, tokenRequest } from '../oauth.js'
import { attack, dependencies, raw } from './attack.js'

const on = dependencies()
const GRANT = { grant_type: 'client_credentials' }

const call = (headers: Record<string, string>, path = '/trpc/tasks.list') => raw(on.registry, path, { headers })
const credentials = async (changes: object = {}, claims: object = {}) => {
  const { accessToken } = await on.planner.token()
  return {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(on.registry, on.planner.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken, ...changes }, claims as never),
  }
}
attack('POP-01', 'a proof used by fifty at once, at the token endpoint and at a resource', on, async () => {
  const used = await credentials()
  const answers = await Promise.all(Array.from({ length: 50 }, () => call(used)))
  expect(answers.filter(([status]) => status === 200)).toHaveLength(1)
  const proof = await proofOf(on.registry, on.planner.signer, { path: '/oauth/token', nonce: await freshNonce(on.registry, on.planner) })
  const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenRequest(on.registry, on.planner, GRANT, { proof })))
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
    `htu ${htu}`,
    on,
    async () =>
      expect(await call(await credentials({}, { htu: htu.replace('PATH', `${on.registry.issuer}/trpc/tasks.lis`) }))).toEqual([
        401,
        'invalid_token',
      ]),
    { writes: false },
  )
attack(
  'POP-04',
  'forwarded headers forged to match',
  on,
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
  'ath missing, wrong, or of another token',
  on,
  async () => {
    for (const ath of [undefined, 'A'.repeat(43), '']) expect(await call(await credentials({}, { ath }))).toEqual([401, 'invalid_token'])
    const other = (await on.ocr.token()).accessToken
    expect(await call({ ...(await credentials()), authorization: `DPoP ${other}` })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack(
  'POP-05',
  'a stolen token under a key of the thief',
  on,
  async () => {
    const { accessToken } = await on.planner.token()
    const dpop = await proofOf(on.registry, on.stranger.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken })
    expect(await call({ authorization: `DPoP ${accessToken}`, dpop })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack(
  'POP-06',
  'a bound token as Bearer, two credentials',
  on,
  async () => {
    const good = await credentials()
    expect(await call({ ...good, authorization: good.authorization.replace('DPoP', 'Bearer') })).toEqual([401, 'invalid_token'])
    expect(await call({ ...good, authorization: `${good.authorization}, ${good.authorization}` })).toEqual([401, 'invalid_token'])
    expect(await call({ ...good, dpop: `${good.dpop}, ${good.dpop}` })).toEqual([401, 'invalid_token'])
  },
  { writes: false },
)
attack('POP-07', 'a nonce that is missing, forged, old, or from the other server', on, async () => {
  for (const nonce of [undefined, '', 'x', '1.2.3', `${on.registry.clock.now()}.1.AAAA`]) {
    const answer = await tokenRequest(on.registry, on.planner, GRANT, { nonce })
    expect([answer.status, answer.body.error]).toEqual([400, 'use_dpop_nonce'])
    expect(answer.headers.get('dpop-nonce')).toMatch(/^\d+\.\d+\./)
  }
  const nonce = await freshNonce(on.registry, on.planner)
  for (let i = 0; i < 3; i++) expect((await tokenRequest(on.registry, on.planner, GRANT, { nonce })).status).toBe(200)
})
for (const iat of [-600, 600, 0.5, -(2 ** 63), Number.MAX_SAFE_INTEGER])
  attack(
    'POP-08',
    `iat off by ${iat}`,
    on,
    async () => {
      const { registry, planner } = on
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
    `a proof with ${JSON.stringify(header).slice(0, 40)}`,
    on,
    async () => {
      const { registry, planner } = on
      const nonce = await freshNonce(registry, planner)
      const good = await proofOf(registry, planner.signer, { path: '/oauth/token', nonce })
      const [head = '', body, tail] = good.split('.')
      const changed = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...header }
      const proof = `${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${body}.${tail}`
      expect((await tokenRequest(registry, planner, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
    },
    { writes: false },
  )
