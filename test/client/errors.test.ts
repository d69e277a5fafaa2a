// Every failure of the client library is a CredenceError, the one class that it exports.
import { expect, test } from 'vitest'
import {
  CredenceError,
  confirmAgent,
  createAgent,
  fetchRegistryKeys,
  joinRegistry,
  newEs256Signer,
  newPrivateJwk,
  readCheckpoint,
  signerFromJwk,
  verifyWholeLog,
} from '../../src/client/index.js'

const ISSUER = 'https://registry.example'
const signer = await newEs256Signer()
const endpoints = {
  issuer: ISSUER,
  token_endpoint: `${ISSUER}/oauth/token`,
  introspection_endpoint: `${ISSUER}/oauth/introspect`,
  revocation_endpoint: `${ISSUER}/oauth/revoke`,
  jwks_uri: `${ISSUER}/.well-known/jwks.json`,
  credence_revocations: 'wss://registry.example/revocations',
}
const isMetadata = (url: string) => url.includes('oauth-authorization-server')

/** A registry whose metadata is right and whose other responses are `body`. */
const answering =
  (body: string, status = 200) =>
  async (input: unknown): Promise<Response> =>
    isMetadata(String(input)) ? Response.json(endpoints) : new Response(body, { status })
const failing = async (): Promise<Response> => {
  throw new TypeError('fetch failed', { cause: new Error('connection refused') })
}
const agentWith = (fetch: typeof globalThis.fetch) => createAgent({ issuer: ISSUER, clientId: 'mem_AAAAAAAAAAAAAAAAAAAAAA', signer, fetch })

const CASES: [string, string, () => unknown][] = [
  ['an issuer that is no URL', 'bad_input', () => createAgent({ issuer: 'registry', clientId: 'agt_x', signer })],
  ['a registry that cannot be reached', 'unavailable', () => agentWith(failing).token()],
  ['a response that is no JSON', 'unavailable', () => agentWith(answering('<html>')).token()],
  ['a token response without a token', 'unavailable', () => agentWith(answering('{}')).token()],
  ['a key set without keys', 'unavailable', () => fetchRegistryKeys(ISSUER, 'log', answering('{"keys":1}'))],
  ['a log that cannot be reached', 'unavailable', () => readCheckpoint({ issuer: ISSUER, keys: [], fetch: failing })],
  [
    'a checkpoint that is no note',
    'checkpoint_invalid',
    () => verifyWholeLog({ issuer: ISSUER, keys: [], fetch: answering('{"entries":{}}') }),
  ],
  ['publishing for no agent', 'bad_input', () => agentWith(answering('{}')).publish({ card: {} })],
  ['publishing something that is no card', 'bad_input', () => agentWith(answering('{}')).publish({ card: [] as never })],
  ['a key that is no JWK', 'key_invalid', () => signerFromJwk({ kty: 'EC' })],
  ['a public key as a private one', 'key_invalid', async () => signerFromJwk({ ...(await newPrivateJwk()), d: undefined as never })],
]

test.each(CASES)('%s is a CredenceError with the reason %s', async (_, reason, fail) => {
  const error = await Promise.resolve()
    .then(fail)
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(CredenceError)
  expect(error).toMatchObject({ reason, status: expect.any(Number), faults: expect.any(Array) })
})

test.each([
  'http://registry.example',
  'http://10.0.0.1:4000',
  'http://localhost.example/',
  'http://127.0.0.1.nip.io',
  'http://[::2]',
])('nothing is sent to %s, which is not encrypted and not on loopback', async (issuer) => {
  let sent = 0
  const fetch = async () => {
    sent++
    return Response.json({})
  }
  const calls = [
    async () => createAgent({ issuer, clientId: 'agt_x', signer, fetch }),
    async () => joinRegistry({ issuer, code: 'x', name: 'x', signer, fetch }),
    async () => confirmAgent({ issuer, agentId: 'agt_x', registrationToken: 'x', signer, fetch }),
    async () => fetchRegistryKeys(issuer, 'log', fetch),
  ]
  for (const call of calls) await expect(call()).rejects.toThrow('http:// is accepted only on loopback')
  expect(sent).toBe(0)
})

test.each([
  'http://localhost:4000',
  'http://127.0.0.1:4000',
  'http://[::1]:4000',
  'https://registry.example',
])('%s is accepted', (issuer) => {
  expect(createAgent({ issuer, clientId: 'agt_x', signer }).issuer).toBe(issuer)
})
