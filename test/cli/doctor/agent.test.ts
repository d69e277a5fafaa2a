// `credence doctor --agent`: the addresses in a public card, as a stranger reaches them.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkAgent, checkCard } from '../../../src/cli/doctor/agent.js'
import { clientClock } from '../../../src/lib/clock.js'
import { createVerifier, guard } from '../../../src/verifier/index.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { newCommandLine } from '../command-line.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
/** The handler of the agent's server, set by each test. */
let handle: RequestListener = (_, response) => response.end()
const server = createServer((request, response) => handle(request, response))
let url: string
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  acme = await registry.organisation('Acme')
  agent = await registry.agent({ name: 'OCR', registeredBy: acme })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`
  await agent.publish({ card: aCard(registry, { supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] }) })
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await registry[Symbol.asyncDispose]()
})

const check = (issuer = registry.issuer) => checkAgent({ issuer, clock: clientClock }, agent.agentId)
const guarded = async (audience: string): Promise<RequestListener> => {
  const verifier = createVerifier({ issuer: registry.issuer, audience, publicUrl: new URL(url).origin, standing: await agent.subscribe() })
  const protect = guard(verifier, { scope: 'ocr:read' })
  return (request, response) => protect(request, response, () => response.end())
}

test('an address behind the guard of the agent is ok, by id without a profile and by name with one', async () => {
  handle = await guarded(agent.audience)
  expect((await check()).map(({ check, state }) => [check, state])).toEqual(
    ['card', 'agent dns', 'agent tls', 'agent'].map((name) => [name, 'ok']),
  )
  await using commandLine = await newCommandLine(registry)
  await commandLine.administrator('Ada', acme)
  const byId = await commandLine.run(['doctor', '--registry', registry.issuer, '--agent', agent.agentId])
  expect(byId, byId.out).toMatchObject({ code: 0, out: expect.stringContaining(`${url} refuses a call without a token, as this agent`) })
  const byName = await commandLine.run(['doctor', '--agent', 'OCR', '--profile', 'ada'])
  expect(byName, byName.err).toMatchObject({ code: 0, out: expect.stringContaining('as this agent') })
  const elsewhere = await commandLine.run(['doctor', '--agent', 'OCR', '--profile', 'ada', '--registry', 'https://other.example'])
  expect(elsewhere).toMatchObject({ code: 2, err: expect.stringContaining('not of https://other.example') })
  expect(await commandLine.run(['doctor', '--agent', agent.agentId])).toMatchObject({ code: 2, err: expect.stringContaining('--registry') })
})

test.each<[string, RequestListener | string, RegExp]>([
  ['that is not guarded', (_, response) => response.end(), /does not refuse a call without a token \(status 200\)/],
  ['whose proxy finds no agent', (_, response) => response.writeHead(502).end(), /responded with status 502/],
  [
    'with another kind of token',
    (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
    /does not ask for a token/,
  ],
  ['of another agent', 'other', /names another audience/],
])('an address %s is a failure with advice', async (_, handler, text) => {
  handle = typeof handler === 'string' ? await guarded(`${registry.issuer}/agents/agt_0123456789abcdefghijkl`) : handler
  expect((await check()).at(-1)).toMatchObject({
    check: 'agent',
    state: 'fail',
    text: expect.stringMatching(text),
    todo: expect.stringMatching(/\w/),
  })
})

/** A server with metadata of its own, as RFC 9728 describes. */
const withMetadata =
  (status: number, metadata: object): RequestListener =>
  (request, response) => {
    const path = '/.well-known/oauth-protected-resource/a2a'
    if (request.url === path) return void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(metadata))
    const challenge = `DPoP resource_metadata="${new URL(path, url).href}"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  }

test('an address whose own metadata name this registry and this agent is ok, and any other metadata are a failure', async () => {
  const authorization_servers = ['https://other.example', registry.issuer]
  const last = async (status: number, metadata: object) => {
    handle = withMetadata(status, metadata)
    return (await check()).at(-1)
  }
  const named = { resource: agent.audience, authorization_servers }
  expect(await last(200, named)).toMatchObject({ state: 'ok', text: expect.stringContaining('name this registry and this agent') })
  const failure = (text: string) => ({ check: 'agent', state: 'fail', text: expect.stringContaining(text), todo: expect.any(String) })
  const elsewhere = { ...named, authorization_servers: ['https://other.example'] }
  expect(await last(200, elsewhere)).toMatchObject(failure(`does not name ${registry.issuer}`))
  expect(await last(200, { ...named, resource: url })).toMatchObject(failure('is of the resource'))
  expect(await last(404, {})).toMatchObject(failure('responded with status 404'))
  expect(await last(200, { resource: 1 })).toMatchObject(failure('not in the expected form'))
})

test('an agent without a card, and a registry that cannot be reached, are failures', async () => {
  const { agentId } = await registry.agent({ registeredBy: acme })
  expect(await checkAgent({ issuer: registry.issuer, clock: clientClock }, agentId)).toMatchObject([{ check: 'card', state: 'fail' }])
  expect(await check('http://127.0.0.1:1')).toMatchObject([{ check: 'card', state: 'fail' }])
})

test('addresses of the own machine, or without encryption, in the card of a public registry are not requested', async () => {
  let requests = 0
  handle = (_, response) => response.end(String(requests++))
  const card = aCard(registry, {
    supportedInterfaces: [url, 'http://agents.example/a2a', 'grpc://agents.example'].map((url) => ({
      url,
      protocolBinding: 'JSONRPC',
      protocolVersion: '1.0',
    })),
  })
  expect(
    (await checkCard({ issuer: 'https://registry.example', clock: clientClock }, agent.agentId, JSON.stringify(card))).map(
      ({ text }) => text,
    ),
  ).toEqual([
    expect.stringContaining('names'),
    expect.stringContaining("the caller's own machine"),
    expect.stringContaining('is not encrypted'),
    expect.stringContaining('is not checked'),
  ])
  expect(requests).toBe(0)
})
