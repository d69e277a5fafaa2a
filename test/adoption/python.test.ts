import { chmod, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Feed } from '../../src/client/feed.js'
import { createVerifier, credenceOf, guard } from '../../src/verifier/index.js'
import { proofOf } from '../oauth/requests.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { findPython } from './find-python.js'
import { maxStaleness, type Registered, register } from './peers.js'
import { type Running, run } from './process.js'

const AGENT = resolve(import.meta.dirname, '../../examples/python/agent.py')
const python = findPython()
if (python === undefined)
  console.warn(
    '\n*** examples/python was NOT tested: no Python has its packages.\n*** Run pip install -r examples/python/requirements.txt and set CREDENCE_TEST_PYTHON to that Python.\n',
  )

describe.skipIf(python === undefined)('Python agent with public libraries only', () => {
  let registry: Registry
  let ocr: AgentActor
  let ocrServer: Server
  let feed: Feed
  let planner: AgentActor
  let registered: Registered
  let agent: Running
  let url: string
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let keyFile: string

  beforeAll(async () => {
    registry = await startRegistry({ clock: runningClock() })
    const acme = await registry.organisation('Acme')

    // The peer that the Python agent calls.
    ocr = await registry.agent({ registeredBy: acme, name: 'OCR', introductionPolicy: { mode: 'ask' } })
    feed = await ocr.subscribe()
    ocrServer = createServer((request, response) =>
      protect(request, response, async () => response.end(`read "${await text(request)}" for ${credenceOf(request).chain.join()}`)),
    )
    await new Promise<void>((resolve) => ocrServer.listen(0, '127.0.0.1', resolve))
    const ocrUrl = `http://127.0.0.1:${(ocrServer.address() as AddressInfo).port}`
    const { issuer, clock } = registry
    const protect = guard(createVerifier({ issuer, audience: ocr.audience, publicUrl: ocrUrl, standing: feed, clock }), {
      scope: 'ocr:read',
    })
    const supportedInterfaces = [{ url: `${ocrUrl}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }]
    await ocr.publish({ card: aCard(registry, { supportedInterfaces }) })

    registered = await register(registry, acme, { ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
    const { agentId, registrationToken, audience } = registered
    folder = await tempFolder()
    keyFile = join(folder.path, 'key.json')
    const config = { issuer, agentId, registrationToken, keyFile, find: 'scanned', scope: 'ocr:read' }
    agent = run(python ?? '', [AGENT], { AGENT: JSON.stringify(config), PYTHONDONTWRITEBYTECODE: '1' })

    const rights = ['translate:text', 'translate:admin'].map((scope) => ({ audience, scope }))
    planner = await registry.agent({ registeredBy: acme, name: 'planner', ceiling: { rights } })
  })
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
    feed?.close()
    ocrServer?.close()
    await registry?.[Symbol.asyncDispose]()
  })

  const logged = async (event: string, more = '') => {
    const [line] = await agent.wrote(new RegExp(`^\\{"event": "${event}".*${more}.*$`, 'm'))
    return JSON.parse(line)
  }
  const token = async (more: object = {}) =>
    (await planner.exchange({ audience: registered.audience, scope: 'translate:text', ...more })).accessToken
  const signed = async (accessToken: string, htu = url) => ({
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(registry, planner.signer, { path: '', accessToken }, { htu }),
  })
  const send = async (headers: Record<string, string>) => {
    const response = await fetch(url, { method: 'POST', headers, body: 'Guten Tag' })
    const { status, headers: received } = response
    return { status, challenge: received.get('www-authenticate'), headers: received, body: await response.json() }
  }
  const status = async (accessToken: string) => (await send(await signed(accessToken))).status

  test('the agent confirms its registration, publishes a card, is introduced to a peer, exchanges a token and calls the peer', async () => {
    expect(await logged('published')).toMatchObject({ version: 1, verdict: 'signed' })
    await expect.poll(async () => (await ocr.introductions.inbox()).items.length).toBe(1)
    const [request] = (await ocr.introductions.inbox()).items
    expect(request).toMatchObject({ kind: 'requested', from: registered.agentId, scopes: ['ocr:read'] })
    await ocr.introductions.approve(request?.introductionId ?? '')
    expect(await logged('introduced')).toMatchObject({ state: 'granted', to: ocr.agentId })
    expect(await logged('called')).toMatchObject({ status: 200, body: `read "page 1" for ${registered.agentId}` })
    url = `http://127.0.0.1:${(await logged('listening')).port}/a2a`
  })
  test('the agent keeps its key in a file of mode 600 and starts again without the registration token', async () => {
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600)
    const { agentId } = registered
    const config = { issuer: registry.issuer, agentId, keyFile, publicUrl: url.replace('/a2a', '') }
    const start = () => run(python ?? '', [AGENT], { AGENT: JSON.stringify(config), PYTHONDONTWRITEBYTECODE: '1' })
    await using second = start()
    await second.wrote(/"event": "listening"/)
    await chmod(keyFile, 0o644)
    await using third = start()
    await expect(third.wrote(/"event": "listening"/)).rejects.toThrow('chmod 600')
    await chmod(keyFile, 0o600)
  })
  test('the card of the agent verifies back to its key, and only introduced callers see the non-public skill', async () => {
    const skills = async (reader: AgentActor) => {
      const { card, state } = await reader.card(registered.agentId)
      return [state, ...(card.skills as { id: string }[]).map(({ id }) => id)]
    }
    expect(await skills(planner)).toEqual(['verified', 'translate-text'])
    const { state } = await planner.introduce({
      to: registered.agentId,
      purpose: 'translate',
      scopes: ['translate:text', 'translate:admin'],
    })
    expect(state).toBe('granted')
    expect((await skills(planner)).sort()).toEqual(['translate-contract', 'translate-text', 'verified'])
    const [hit] = (await planner.search({ text: 'translates' })).hits
    expect(hit).toMatchObject({ agentId: registered.agentId, endpoint: url, scopes: ['translate:admin', 'translate:text'] })
  })
  test('the agent serves a verified request and refuses any other with the status and challenge of a guard', async () => {
    const { taskId } = await planner.tasks.create({ description: 'translate' })
    const good = await signed(await token({ taskId }))
    expect(await send(good)).toMatchObject({
      status: 200,
      body: { subject: planner.agentId, actors: [], scopes: ['translate:text'], task: taskId, body: 'Guten Tag' },
    })
    const invalid = { status: 401, challenge: 'DPoP error="invalid_token", algs="ES256 EdDSA"', body: { error: 'invalid_token' } }
    expect(await send(good), 'a used proof').toMatchObject(invalid)
    expect(await send({}), 'no token').toMatchObject(invalid)
    expect(await send({ ...good, authorization: good.authorization.replace('DPoP', 'Bearer') }), 'a Bearer').toMatchObject(invalid)
    expect(await send(await signed(await token(), 'http://127.0.0.1/other')), 'another URL').toMatchObject(invalid)
    expect(await send(await signed((await planner.token()).accessToken)), 'another audience').toMatchObject(invalid)
    expect(await send({ ...(await signed(await token())), dpop: 'e30.e30.e30' }), 'nonsense').toMatchObject(invalid)
    const forged = (await token()).replace(/\.[^.]+$/, `.${'A'.repeat(86)}`)
    expect(await send(await signed(forged)), 'a forged token').toMatchObject(invalid)
    const { accessToken } = await planner.exchange({ audience: registered.audience, scope: 'translate:admin' })
    expect(await send(await signed(accessToken)), 'another scope').toMatchObject({ status: 403, body: { error: 'insufficient_scope' } })
  })
  test('the agent refuses a token within a second of its revocation, responds 503 once the registry has been unreachable for a second, and then resumes the feed from its position', async () => {
    const [first, second] = await Promise.all(['one', 'two'].map((description) => planner.tasks.create({ description })))
    const tokens = [await token({ taskId: first?.taskId }), await token({ taskId: second?.taskId })] as const
    expect(await status(tokens[0])).toBe(200)
    await planner.tasks.end(first?.taskId ?? '')
    await maxStaleness()
    expect(await status(tokens[0])).toBe(401)

    expect(await status(tokens[1])).toBe(200)
    registry.front.route([1]) // no server listens on this port
    registry.front.cutSockets()
    await maxStaleness()
    expect(await status(tokens[1])).toBe(503)
    expect((await send(await signed(tokens[1]))).headers.get('retry-after')).toBe('1')
    registry.front.route(registry.servers.map(({ port }) => port))
    await planner.tasks.end(second?.taskId ?? '')
    await expect.poll(() => status(tokens[1]), { interval: 50 }).toBe(401)
    expect((await logged('feed', '"start": "resumed"')).seq).toBeGreaterThan(0)
    expect(agent.text().match(/"start": "snapshot"/g)).toHaveLength(1)
    expect(await status(await token())).toBe(200)
  })
})
