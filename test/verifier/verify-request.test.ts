import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Feed } from '../../src/client/feed.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { isRefusal } from '../../src/errors.js'
import { openVerifierStore } from '../../src/storage/sqlite/verifier-store.js'
import { CredenceError, createVerifier, refusalResponse, type Verifier } from '../../src/verifier/index.js'
import { proofOf } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'
import { aPair, introduce, type Pair } from '../stories/actors.js'

let registry: Registry
let pair: Pair
let feed: Feed
let verifier: Verifier
const PUBLIC = 'https://ocr.example'

beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry, ['ocr:read'], { tools: ['scan'] })
  feed = await pair.ocr.subscribe()
})
beforeEach(() => {
  verifier = newVerifier()
})
afterAll(async () => {
  feed.close()
  await registry[Symbol.asyncDispose]()
})

const newVerifier = (more: object = {}) =>
  createVerifier({
    issuer: registry.issuer,
    audience: pair.ocr.audience,
    publicUrl: PUBLIC,
    standing: feed,
    clock: registry.clock,
    ...more,
  })
const aToken = async (more: object = {}) => (await pair.planner.exchange({ audience: pair.ocr.audience, ...more })).accessToken
const aCall = async (accessToken: string, changes: object = {}, signer = pair.planner.signer) => ({
  method: 'POST',
  url: '/a2a?x=1',
  headers: {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, signer, { htm: 'POST', path: '', accessToken }, { htu: `${PUBLIC}/a2a`, ...changes }),
  },
})
const outcome = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'served'
  } catch (error) {
    if (!isRefusal(error)) throw error
    return `${refusalResponse(error).status} ${error.reason}`
  }
}

test('a request with a valid token and proof is verified, and the result names the chain, the task and the token', async () => {
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const token = await aToken({ taskId })
  const verified = await verifier.verify(await aCall(token), { scope: 'ocr:read/page', tool: 'scan/fast' })
  expect(verified).toMatchObject({ chain: [pair.planner.agentId], taskId, accessToken: token })
})

test('a used proof is retained for its life and the skew between replicas, under the key that signed it', async () => {
  const consumed: [string, number][] = []
  const replay = { consume: async (name: string, expiresAt: number) => consumed.push([name, expiresAt - registry.clock.now()]) > 0 }
  await newVerifier({ replay }).verify(await aCall(await aToken()))
  expect(consumed).toEqual([[expect.stringMatching(/^[A-Za-z0-9_-]{43} \S+$/), 121]])
})

test('slashes at the end of the issuer and inside the audience make no difference, and other options are refused when the verifier is created', async () => {
  const { audience } = pair.ocr
  for (const options of [
    { issuer: `${registry.issuer}/` },
    { audience: audience.replace('/agents', '//agents') },
    { audience: `${audience}/` },
  ])
    expect(await outcome(newVerifier(options).verify(await aCall(await aToken()))), JSON.stringify(options)).toBe('served')
  for (const options of [
    { issuer: 'registry.example' },
    { issuer: 'http://registry.example' },
    { audience: 'ocr' },
    { publicUrl: 'ocr.example' },
    { maxStalenessMs: 0 },
    { maxStalenessMs: Number.NaN },
    ...[undefined, null, {}, { introspect: true }, Promise.resolve()].map((standing) => ({ standing })),
  ]) {
    const error = await Promise.resolve()
      .then(() => newVerifier(options))
      .catch((thrown: unknown) => thrown)
    expect(error, JSON.stringify(options)).toBeInstanceOf(CredenceError)
    expect(error).toMatchObject({ reason: 'bad_input' })
    expect(String(error)).toContain(Object.keys(options)[0] === 'issuer' ? 'registry.example' : Object.keys(options)[0])
  }
})

describe('refusals', () => {
  test('a missing token, a Bearer token, two proofs, a proof for another key, token, method or URL, an old or a used proof get invalid_token', async () => {
    const token = await aToken()
    const call = await aCall(token)
    const refused = '401 invalid_token'
    const cases: [string, () => Promise<unknown>][] = [
      ['nothing', async () => verifier.verify({ ...call, headers: {} })],
      ['Bearer', async () => verifier.verify({ ...call, headers: { ...call.headers, authorization: `Bearer ${token}` } })],
      [
        'two proofs',
        async () => verifier.verify({ ...call, headers: { ...call.headers, dpop: `${call.headers.dpop}, ${call.headers.dpop}` } }),
      ],
      ['no proof', async () => verifier.verify({ ...call, headers: { authorization: call.headers.authorization } })],
      ['another key', async () => verifier.verify(await aCall(token, {}, await newEs256Signer()))],
      [
        'another token',
        async () =>
          verifier.verify({
            ...(await aCall(await aToken())),
            headers: { ...(await aCall(await aToken())).headers, authorization: call.headers.authorization },
          }),
      ],
      ['another method', async () => verifier.verify({ ...(await aCall(token)), method: 'GET' })],
      ['another URL', async () => verifier.verify({ ...(await aCall(token)), url: '/other' })],
      ['another host', async () => verifier.verify(await aCall(token, { htu: 'https://evil.example/a2a' }))],
      ['an old proof', async () => verifier.verify(await aCall(token, { iat: registry.clock.now() - 300 }))],
      ['a root token', async () => verifier.verify(await aCall((await pair.planner.token()).accessToken))],
    ]
    for (const [name, work] of cases) expect(await outcome(work()), name).toBe(refused)
    await expect(verifier.verify({ ...(await aCall(token)), url: '/other?page=2' })).rejects.toThrow(`(expected ${PUBLIC}/other)`)
    expect(await outcome(verifier.verify(call))).toBe('served')
    expect(await outcome(verifier.verify(call))).toBe(refused)
  })
  test('a token for another audience or past its expiry gets invalid_token; one without the scope or tool gets insufficient_scope', async () => {
    const otherAudience = newVerifier({ audience: pair.planner.audience })
    const call = await aCall(await aToken())
    expect(await outcome(otherAudience.verify(call))).toBe('401 invalid_token')
    await expect(otherAudience.verify(call)).rejects.toThrow(`(expected ${pair.planner.audience})`)
    expect(await outcome(verifier.verify(await aCall(await aToken()), { scope: 'ocr:admin' }))).toBe('403 insufficient_scope')
    expect(await outcome(verifier.verify(await aCall(await aToken()), { tool: 'print' }))).toBe('403 insufficient_scope')
    expect(await outcome(verifier.verify(await aCall(await aToken()), { resource: 'anything' }))).toBe('served')
    const old = await aToken()
    registry.clock.advance(301)
    expect(await outcome(verifier.verify(await aCall(old)))).toBe('401 invalid_token')
  })
  test('a token is refused once it, its task, its agent or its introduction was revoked', async () => {
    const revocations: [string, (token: string) => Promise<unknown>][] = [
      ['token', (token) => pair.planner.revoke(token)],
      ['introduction', () => pair.planner.introductions.revoke(pair.introductionId)],
      ['agent', () => pair.globex.mutate('agents.suspend', { agentId: pair.planner.agentId })],
    ]
    const { taskId } = await pair.planner.tasks.create({ description: 'x' })
    const ofTask = await aToken({ taskId })
    await pair.planner.tasks.end(taskId)
    expect(await outcome(verifier.verify(await aCall(ofTask))), 'task').toBe('401 invalid_token')
    for (const [name, revoke] of revocations) {
      const token = await aToken()
      const call = await aCall(token)
      await revoke(token)
      // Within maxStalenessMs the verifier may not know yet; after a sync it does.
      await feed.sync()
      expect(await outcome(verifier.verify(call)), name).toBe('401 invalid_token')
      if (name === 'introduction') await introduce(pair.planner, pair.ocr)
    }
    pair = await aPair(registry, ['ocr:read'], { tools: ['scan'] })
    verifier = newVerifier()
  })
})

describe('needs', () => {
  test.each([
    ['an allowed tool', { tool: 'scan' }, 'served'],
    ['a part of an allowed tool', { tool: 'scan/fast' }, 'served'],
    ['another tool', { tool: 'print' }, '403 insufficient_scope'],
    ['a resource, with a token that is not restricted in resources', { resource: 'docs/a' }, 'served'],
    ['a tool with a `..` segment', { tool: 'scan/../print' }, '403 insufficient_scope'],
    ['a tool with a percent-encoded `..` segment', { tool: 'scan/%2e%2e/print' }, '403 insufficient_scope'],
    ['a resource with a `..` segment, although the token is not restricted', { resource: 'docs/../secrets' }, '403 insufficient_scope'],
    ['a resource with a control character, although the token is not restricted', { resource: 'docs/a\n' }, '403 insufficient_scope'],
    ['a scope with a `..` segment', { scope: 'ocr:read/../admin' }, '403 insufficient_scope'],
  ])('a request that needs %s is answered as expected', async (_, needs, expected) => {
    expect(await outcome(verifier.verify(await aCall(await aToken()), needs))).toBe(expected)
  })
})

describe('freshness', () => {
  test('the feed is not synced within maxStalenessMs; after that it is synced first, so the verifier knows of a later revocation', async () => {
    const token = await aToken()
    await feed.sync()
    const before = feed.freshAt
    expect(await outcome(verifier.verify(await aCall(token)))).toBe('served')
    expect(feed.freshAt).toBe(before)
    registry.clock.advance(2)
    await pair.planner.revoke(token)
    expect(await outcome(verifier.verify(await aCall(token)))).toBe('401 invalid_token')
  })
  test('without proof of freshness a request gets 503 with Retry-After, and its proof is not consumed', async () => {
    const token = await aToken()
    const call = await aCall(token)
    const lost = {
      ...feed,
      ended: feed.ended,
      seq: feed.seq,
      time: feed.time,
      position: feed.position,
      freshAt: undefined,
      sync: () => Promise.reject(new Error('lost')),
    }
    const stale = newVerifier({ standing: lost })
    expect(await outcome(stale.verify(call))).toBe('503 standing_unknown')
    try {
      await stale.verify(call)
    } catch (error) {
      expect(refusalResponse(error).headers['retry-after']).toBe('1')
    }
    expect(await outcome(verifier.verify(call))).toBe('served')
    // The last proof of freshness counts for exactly maxStalenessMs.
    const lastFresh = (msAgo: number) => newVerifier({ standing: { ...lost, freshAt: registry.clock.monotonicMs() - msAgo } })
    expect(await outcome(lastFresh(1001).verify(await aCall(token)))).toBe('503 standing_unknown')
    expect(await outcome(lastFresh(1000).verify(await aCall(token)))).toBe('served')
  })
  test('a verifier that has read less of the log than the token’s issuer syncs first, however fresh it is', async () => {
    const token = await aToken()
    let syncs = 0
    const behind = {
      ...feed,
      ended: feed.ended,
      seq: -1,
      time: 0,
      position: feed.position,
      freshAt: registry.clock.monotonicMs(),
      sync: async () => void syncs++,
    }
    expect(await outcome(newVerifier({ standing: behind }).verify(await aCall(token)))).toBe('503 standing_unknown')
    expect(syncs).toBe(1)
  })
  test('an introspection result counts for maxStalenessMs', async () => {
    let requests = 0
    const introspect = (token: string) => {
      requests++
      return pair.ocr.introspect(token)
    }
    const remote = newVerifier({ standing: { introspect } })
    const token = await aToken()
    for (let i = 0; i < 3; i++) expect(await outcome(remote.verify(await aCall(token)))).toBe('served')
    expect(requests).toBe(1)
    await pair.planner.revoke(token)
    registry.clock.advance(2)
    expect(await outcome(remote.verify(await aCall(token)))).toBe('401 invalid_token')
    const disconnected = newVerifier({ standing: { introspect: () => Promise.reject(new Error('no connection')) } })
    expect(await outcome(disconnected.verify(await aCall(await aToken())))).toBe('503 standing_unknown')
  })
})

test('consumed proofs survive a restart and are shared by two processes of one resource server', async () => {
  await using folder = await tempFolder()
  const file = `${folder.path}/verifier.db`
  const [first, second] = [openVerifierStore(file, registry.clock.now), openVerifierStore(file, registry.clock.now)]
  const call = await aCall(await aToken())
  const outcomes = await Promise.all([first, second, first, second].map((store) => outcome(newVerifier(store).verify(call))))
  expect(outcomes.filter((outcome) => outcome === 'served')).toHaveLength(1)
  for (const store of [first, second]) store.close()
  const restarted = openVerifierStore(file, registry.clock.now)
  expect(await outcome(newVerifier(restarted).verify(call))).toBe('401 invalid_token')
  restarted.close()
})

test('a token with an unknown kid gets 503 until the verifier may read the keys again, and then 401; known kids never wait', async () => {
  let reads = 0
  const counting: typeof fetch = (input, init) => {
    reads++
    return fetch(input, init)
  }
  const own = newVerifier({ fetch: counting })
  const token = await aToken()
  expect(await outcome(own.verify(await aCall(token)))).toBe('served')
  const forged = token.replace(
    /^[^.]+/,
    Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'A'.repeat(43) })).toString('base64url'),
  )
  for (let i = 0; i < 5; i++) expect(await outcome(own.verify(await aCall(forged)))).toBe('503 standing_unknown')
  expect(await outcome(own.verify(await aCall(token)))).toBe('served')
  expect(reads).toBe(1)
  registry.clock.advance(1)
  expect(await outcome(own.verify(await aCall(forged)))).toBe('401 invalid_token')
  expect(await outcome(own.verify(await aCall(token)))).toBe('served')
  expect(reads).toBe(2)
  // The kid of a registry key is a thumbprint, so no read is needed for another one
  const malformed = token.replace(/^[^.]+/, Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: '../x' })).toString('base64url'))
  expect(await outcome(own.verify(await aCall(malformed)))).toBe('401 invalid_token')
  expect(reads).toBe(2)
})
