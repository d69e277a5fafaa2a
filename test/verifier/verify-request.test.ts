import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Feed } from '../../src/client/feed.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { isRefusal } from '../../src/errors.js'
import { openVerifierStore } from '../../src/storage/sqlite/verifier-store.js'
import { createVerifier, refusalResponse, type Verifier } from '../../src/verifier/index.js'
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

test('a call with a token that fits and its proof is served, and says for whom it is', async () => {
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const token = await aToken({ taskId })
  const verified = await verifier.verify(await aCall(token), { scope: 'ocr:read/page', tool: 'scan/fast' })
  expect(verified).toMatchObject({ chain: [pair.planner.agentId], taskId, accessToken: token })
})

describe('what is refused', () => {
  test('no token, a Bearer, two proofs, another key, another token, method or URL, an old proof, one that was used', async () => {
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
    for (const [what, work] of cases) expect(await outcome(work()), what).toBe(refused)
    expect(await outcome(verifier.verify(call))).toBe('served')
    expect(await outcome(verifier.verify(call))).toBe(refused)
  })
  test('a token for another audience, an expired one, a scope, tool or resource that it lacks', async () => {
    const elsewhere = newVerifier({ audience: pair.planner.audience })
    expect(await outcome(elsewhere.verify(await aCall(await aToken())))).toBe('401 invalid_token')
    expect(await outcome(verifier.verify(await aCall(await aToken()), { scope: 'ocr:admin' }))).toBe('403 insufficient_scope')
    expect(await outcome(verifier.verify(await aCall(await aToken()), { tool: 'print' }))).toBe('403 insufficient_scope')
    expect(await outcome(verifier.verify(await aCall(await aToken()), { resource: 'anything' }))).toBe('served')
    const old = await aToken()
    registry.clock.advance(301)
    expect(await outcome(verifier.verify(await aCall(old)))).toBe('401 invalid_token')
  })
  test('what ended before the call is refused, whatever ended: token, task, agent, introduction', async () => {
    const endings: [string, (token: string) => Promise<unknown>][] = [
      ['token', (token) => pair.planner.revoke(token)],
      ['introduction', () => pair.planner.introductions.revoke(pair.introductionId)],
      ['agent', () => pair.globex.mutate('agents.suspend', { agentId: pair.planner.agentId })],
    ]
    const { taskId } = await pair.planner.tasks.create({ description: 'x' })
    const ofTask = await aToken({ taskId })
    await pair.planner.tasks.end(taskId)
    expect(await outcome(verifier.verify(await aCall(ofTask))), 'task').toBe('401 invalid_token')
    for (const [what, end] of endings) {
      const token = await aToken()
      const call = await aCall(token)
      await end(token)
      // Within the allowed staleness it may not know yet; a challenge later it does.
      await feed.sync()
      expect(await outcome(verifier.verify(call)), what).toBe('401 invalid_token')
      if (what === 'introduction') await introduce(pair.planner, pair.ocr)
    }
    pair = await aPair(registry, ['ocr:read'], { tools: ['scan'] })
    verifier = newVerifier()
  })
})

describe('freshness', () => {
  test('within maxStaleness it does not ask; past it, it asks before it answers; an ending in between is known then', async () => {
    const token = await aToken()
    await feed.sync()
    const before = feed.freshAt
    expect(await outcome(verifier.verify(await aCall(token)))).toBe('served')
    expect(feed.freshAt).toBe(before)
    registry.clock.advance(2)
    await pair.planner.revoke(token)
    expect(await outcome(verifier.verify(await aCall(token)))).toBe('401 invalid_token')
  })
  test('a registry that does not answer: 503, Retry-After, and the proof is not spent', async () => {
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
    // The last sign of life counts for just as long as was allowed.
    const lastHeard = (msAgo: number) => newVerifier({ standing: { ...lost, freshAt: registry.clock.monotonicMs() - msAgo } })
    expect(await outcome(lastHeard(1001).verify(await aCall(token)))).toBe('503 standing_unknown')
    expect(await outcome(lastHeard(1000).verify(await aCall(token)))).toBe('served')
  })
  test('a verifier that is behind the issuer of a token asks first, however fresh it is', async () => {
    const token = await aToken()
    let asked = 0
    const behind = {
      ...feed,
      ended: feed.ended,
      at: -1,
      time: 0,
      position: feed.position,
      freshAt: registry.clock.monotonicMs(),
      sync: async () => void asked++,
    }
    expect(await outcome(newVerifier({ standing: behind }).verify(await aCall(token)))).toBe('503 standing_unknown')
    expect(asked).toBe(1)
  })
  test('by introspection, for a callee without a socket: an answer counts for maxStaleness', async () => {
    let asked = 0
    const introspect = (token: string) => {
      asked++
      return pair.ocr.introspect(token)
    }
    const remote = newVerifier({ standing: { introspect } })
    const token = await aToken()
    for (let i = 0; i < 3; i++) expect(await outcome(remote.verify(await aCall(token)))).toBe('served')
    expect(asked).toBe(1)
    await pair.planner.revoke(token)
    registry.clock.advance(2)
    expect(await outcome(remote.verify(await aCall(token)))).toBe('401 invalid_token')
    const away = newVerifier({ standing: { introspect: () => Promise.reject(new Error('away')) } })
    expect(await outcome(away.verify(await aCall(await aToken())))).toBe('503 standing_unknown')
  })
})

test('replay keys survive a restart and are shared by two processes of one callee', async () => {
  await using folder = await tempFolder()
  const file = `${folder.path}/callee.db`
  const [one, two] = [openVerifierStore(file, registry.clock.now), openVerifierStore(file, registry.clock.now)]
  const call = await aCall(await aToken())
  const answers = await Promise.all([one, two, one, two].map((store) => outcome(newVerifier(store).verify(call))))
  expect(answers.filter((answer) => answer === 'served')).toHaveLength(1)
  for (const store of [one, two]) store.close()
  const again = openVerifierStore(file, registry.clock.now)
  expect(await outcome(newVerifier(again).verify(call))).toBe('401 invalid_token')
  again.close()
})

test('a token key that was rotated in is found; an unknown kid does not make it ask again and again', async () => {
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
  for (let i = 0; i < 5; i++) expect(await outcome(own.verify(await aCall(forged)))).toBe('401 invalid_token')
  expect(reads).toBe(1)
})
