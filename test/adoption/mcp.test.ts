// The examples of MCP: stock clients of the MCP SDK, and a stock server behind guardMcp, with a registry on loopback.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// @ts-expect-error the example is JavaScript
import { steppingUp } from '../../examples/mcp-client/stepping-up.js'
import { confirmAgent, createAgent, newPrivateJwk, signerFromJwk } from '../../src/client/index.js'
import { type Actor, aName, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { EXAMPLES, type NotesServer, startNotesServer } from './notes-server.js'
import { maxStaleness, register } from './peers.js'
import { run } from './process.js'

interface Site {
  readonly registry: Registry
  readonly acme: Actor
}
let site: Site
let registry: Registry
let acme: Actor
let folder: Awaited<ReturnType<typeof tempFolder>>
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  acme = await registry.organisation('Acme')
  site = { registry, acme }
  folder = await tempFolder()
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

/** The example server, as a resource that accepts bearer tokens or not. */
const notesServer = (bearer: 'allowed' | 'refused', { allowBearer = bearer === 'allowed', at = site } = {}) =>
  startNotesServer({ ...at, folder: folder.path }, { bearer, allowBearer })

/** An agent with a key file, whose ceiling allows these scopes of a server. */
async function anAgent(server: NotesServer, { scopes = ['notes:read', 'notes:write'], at: { registry, acme } = site } = {}) {
  const rights = scopes.map((scope) => ({ audience: server.url, scope }))
  const { agentId, registrationToken } = await register(registry, acme, { name: aName('notes client'), ceiling: { rights } })
  const privateJwk = await newPrivateJwk()
  const signer = await signerFromJwk(privateJwk)
  await confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer, clock: registry.clock })
  const keyFile = join(folder.path, `${agentId}.json`)
  await writeFile(keyFile, JSON.stringify(privateJwk))
  const agent = createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock })
  return { agentId, agent, issuer: registry.issuer, privateJwk, env: { MCP_URL: server.url, CLIENT_ID: agentId, KEY_FILE: keyFile } }
}
type NotesAgent = Awaited<ReturnType<typeof anAgent>>

/** Runs an example client to its end and returns what it printed. */
async function runClient(file: string, env: Record<string, string>, ...args: string[]): Promise<string> {
  const running = run(process.execPath, [join(EXAMPLES, 'mcp-client', file), ...args], env)
  const [code] = await new Promise<unknown[]>((done) => running.child.once('close', (...ended) => done(ended)))
  return `${code} ${running.text()}`
}

/** A stock client in this process. */
async function stockClient({ agentId, privateJwk, issuer: expectedIssuer }: NotesAgent, url: string, { stepUp = false } = {}) {
  const privateKey = privateJwk as Record<string, unknown>
  const authProvider = new PrivateKeyJwtProvider({ clientId: agentId, privateKey, algorithm: 'ES256', scope: 'notes:read', expectedIssuer })
  const client = new Client({ name: 'test', version: '1.0.0' })
  const fetch = stepUp ? steppingUp(authProvider) : undefined
  // The SDK is not written for exactOptionalPropertyTypes
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider, ...(fetch && { fetch }) }) as never)
  return { client, scope: () => authProvider.tokens()?.scope }
}
const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'no failure', String)

describe('a server that accepts bearer tokens', () => {
  let server: NotesServer
  beforeAll(async () => {
    server = await notesServer('allowed')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a stock client that knows neither the registry nor a token gets from the challenge to the answer of a tool', async () => {
    const { env } = await anAgent(server)
    const read = await runClient('bearer.js', env, 'read-notes')
    expect(read).toMatch(/^0 .*\n$/s)
    expect(read, 'the SDK advises to name the registry').toContain('expectedIssuer')
  })
  test('a client that names its registry sends its assertion to no other one', async () => {
    const { env } = await anAgent(server)
    expect(await runClient('bearer.js', { ...env, ISSUER: registry.issuer }, 'read-notes')).toBe('0 \n')
    expect(await runClient('bearer.js', { ...env, ISSUER: 'http://127.0.0.1:9' }, 'read-notes')).toMatch(
      /^1 .*bound to authorization server http:\/\/127\.0\.0\.1:9/s,
    )
  })
  test('the stock provider repeats its scope after 403; with the fetch of the example it steps up, as far as the ceiling allows', async () => {
    const agent = await anAgent(server)
    const env = { ...agent.env, ISSUER: registry.issuer }
    const write = (more: object) => runClient('bearer.js', { ...env, ...more }, 'write-note', '{"note":"milk"}')
    expect(await write({})).toMatch(/^1 .*403 after trying upscoping/s)
    expect(await write({ STEP_UP: '1' })).toBe('0 written\n')
    const { client } = await stockClient(await anAgent(server, { scopes: ['notes:read'] }), server.url, { stepUp: true })
    expect(await failure(client.callTool({ name: 'write-note', arguments: { note: 'x' } }))).toContain('InvalidScopeError')
    await client.close()
  })
  test('the token that a step-up gets has the scopes of the challenge', async () => {
    const { client, scope } = await stockClient(await anAgent(server), server.url, { stepUp: true })
    expect(scope()).toBe('notes:read')
    await client.callTool({ name: 'write-note', arguments: { note: 'eggs' } })
    expect(scope()).toBe('notes:read notes:write')
    await client.close()
  })
  test('with fetchAs the same client sends bound tokens, and steps up', async () => {
    const { env } = await anAgent(server)
    const bound = { ...env, ISSUER: registry.issuer }
    expect(await runClient('dpop.js', bound, 'write-note', '{"note":"bread"}')).toBe('0 written\n')
    expect(await runClient('dpop.js', bound, 'read-notes')).toBe('0 bread\n')
    const { agent } = await anAgent(server, { scopes: ['notes:read'] })
    const fetch = agent.fetchAs({ audience: server.url, scope: 'notes:read' })
    const client = new Client({ name: 'test', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { fetch }) as never)
    expect(await failure(client.callTool({ name: 'write-note', arguments: { note: 'x' } }))).toContain('insufficient_scope')
    await client.close()
  })
  test('a client is stopped by the budget of its task: lists and handshakes are no calls', async () => {
    const { agent } = await anAgent(server)
    const { taskId } = await agent.tasks.create({ description: 'notes', budget: { calls: 3 } })
    const connected = async (maxCalls: number) => {
      const client = new Client({ name: 'test', version: '1.0.0' })
      const fetch = agent.fetchAs({ audience: server.url, scope: 'notes:read', taskId, maxCalls })
      await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { fetch }) as never)
      return client
    }
    const client = await connected(2)
    const read = () => client.callTool({ name: 'read-notes', arguments: {} })
    for (let i = 0; i < 3; i++) expect((await client.listTools()).tools).toHaveLength(2)
    expect([await failure(read()), await failure(read())]).toEqual(['no failure', 'no failure'])
    expect(await failure(read())).toContain('the budget of the task or of a parent has 1 calls left')
    expect((await agent.tasks.get(taskId)).budget).toMatchObject({ reserved: { calls: 2 } })
    await client.close()
  })
  test('within a second after its introduction was revoked, a connected client is refused, by the server and by the registry', async () => {
    const agent = await anAgent(server)
    const { client } = await stockClient(agent, server.url)
    const read = () => client.callTool({ name: 'read-notes', arguments: {} })
    expect(await failure(read())).toBe('no failure')
    const { items } = await acme.query<{ items: { introductionId: string; from: string; to: string }[] }>('introductions.list', {
      role: 'to',
      limit: 100,
    })
    const introductionId = items.find(({ from, to }) => from === agent.agentId && to === server.resourceId)?.introductionId
    await acme.mutate('introductions.revoke', { introductionId })
    await maxStaleness()
    expect(await failure(read())).toContain('InvalidTargetError')
    await client.close()
  })
})

describe('a server or an operator that refuses bearer tokens', () => {
  test('the registry issues none for a resource that does not allow them, and the stock client sees why', async () => {
    // The server itself would accept them, so its challenge leads the client to the registry
    await using server = await notesServer('refused', { allowBearer: true })
    expect(await failure(stockClient(await anAgent(server), server.url))).toContain('proof')
  })
  test('an operator that has not switched them on issues none, whatever the resource allows', async () => {
    await using strict = await startRegistry({ clock: runningClock(), servers: 1, bearerTokens: false })
    const at = { registry: strict, acme: await strict.organisation('Strict') }
    await using server = await notesServer('allowed', { at })
    const agent = await anAgent(server, { at })
    expect(await failure(stockClient(agent, server.url))).toContain('proof')
    expect(await runClient('dpop.js', { ...agent.env, ISSUER: strict.issuer }, 'read-notes')).toBe('0 \n')
  })
  test('the server accepts only bound tokens, which fetchAs sends, also after a restart with the key that it kept', async () => {
    await using server = await notesServer('allowed', { allowBearer: false })
    const agent = await anAgent(server)
    expect(await failure(stockClient(agent, server.url))).toContain('401')
    await server.restart()
    expect(await runClient('dpop.js', { ...agent.env, ISSUER: registry.issuer }, 'read-notes')).toBe('0 \n')
  })
})
