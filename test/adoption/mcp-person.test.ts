// The example MCP server and the stock client of the MCP SDK for a person: metadata document, code with PKCE, refresh, revocation.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasChromium, launchChromium } from '../chromium.js'
import { claimsOf } from '../claims-of.js'
import { testDns } from '../dns.js'
import { freePort } from '../free-port.mjs'
import { type Browser, signedIn } from '../identity/people/browser.js'
import { cert, type HostileServer, startHostile } from '../lib/guarded-fetch/hostile-server.js'
import { decide } from '../oauth/authorize/person-world.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { EXAMPLES, type NotesServer, startNotesServer } from './notes-server.js'
import { type Running, run } from './process.js'

const HOST = 'agents.acme.com'
const POLICY = { mode: 'ask', externalClients: 'withPerson' }
let registry: Registry
let acme: Actor
let person: Actor
let browser: Browser
let site: HostileServer
let server: NotesServer
let folder: Awaited<ReturnType<typeof tempFolder>>
/** The URL of the metadata of the client, which a server of its vendor publishes. */
let clientUrl: string

beforeAll(async () => {
  const dns = testDns()
  dns.setAddresses(HOST, '127.0.0.1')
  site = await startHostile((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document)))
  clientUrl = `https://${HOST}:${site.port}/notes-client.json`
  const document = {
    client_id: clientUrl,
    client_name: 'Notes client',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  const outgoing = { mode: 'public', allow: [`${HOST}:${site.port}`] } as const
  registry = await startRegistry({ clock: runningClock(), servers: 1, localhost: true, resolver: dns, ca: cert, outgoing })
  acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
  person = await registry.join(code, 'Petra')
  browser = await signedIn(registry, person)
  folder = await tempFolder()
  server = await startNotesServer({ registry, acme, folder: folder.path }, { bearer: 'allowed', allowBearer: true, policy: POLICY })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

interface Client {
  readonly env: Readonly<Record<string, string>>
  saved(): Promise<{ readonly tokens?: { readonly access_token: string; readonly refresh_token: string } }>
}
let clients = 0
async function aClient(more: object = {}): Promise<Client> {
  const file = join(folder.path, `tokens-${clients++}.json`)
  return {
    env: { MCP_URL: server.url, TOKENS: file, CLIENT_URL: clientUrl, PORT: String(await freePort()), ...more },
    saved: async () => JSON.parse(await readFile(file, 'utf8')),
  }
}
const start = ({ env }: Client, ...args: string[]): Running => run(process.execPath, [join(EXAMPLES, 'mcp-client/person.js'), ...args], env)
/** The URL that the program asks the person to open. */
const urlOf = async (running: Running): Promise<URL> => new URL((await running.wrote(/^open (\S+)$/m))[1] ?? '')
/** The exit code and the last line that the program wrote. */
async function ended(running: Running): Promise<string> {
  const [code] = await new Promise<unknown[]>((done) => running.child.once('close', (...all) => done(all)))
  return `${code} ${running.text().trimEnd().split('\n').at(-1)}`
}
/** Decides in the browser of the person, and lets the browser follow the redirect to the program. */
async function decided(running: Running, fields = {}): Promise<string> {
  const url = await urlOf(running)
  const until = new Date((registry.clock.now() + 86_400) * 1000).toISOString().slice(0, 10)
  const done = await decide(browser, await browser.get(url.pathname + url.search), { duration: 'until', until, ...fields })
  const end = ended(running)
  expect(await (await fetch(done.location ?? '')).text()).toBe('You can close this page.')
  return end
}
const isRefused = async (accessToken: string): Promise<boolean> => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
  const headers = {
    authorization: `Bearer ${accessToken}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  }
  return (await fetch(server.url, { method: 'POST', headers, body })).status === 401
}

test('a stock client gets from the challenge over the consent of a person to a tool, refreshes, and is refused after a revocation', async () => {
  const client = await aClient({ SCOPE: 'notes:read notes:write' })
  expect(await decided(start(client, 'write-note', '{"note":"milk"}'))).toBe('0 written')
  const { tokens: first = { access_token: '', refresh_token: '' } } = await client.saved()
  expect(claimsOf(first.access_token)).toMatchObject({ aud: server.url, client_type: 'external', sub: expect.stringMatching(/^per_/) })

  // The server refuses the token, so the SDK refreshes it without the person
  await writeFile(client.env.TOKENS ?? '', JSON.stringify({ ...(await client.saved()), tokens: { ...first, access_token: 'expired' } }))
  expect(await ended(start(client, 'read-notes'))).toBe('0 milk')
  const { tokens: second = first } = await client.saved()
  expect(second.refresh_token).not.toBe(first.refresh_token)
  expect([await isRefused(first.access_token), await isRefused(second.access_token)]).toEqual([false, false])

  const { items } = await person.query<{ items: { consentId: string; audience: string }[] }>('consents.list', {})
  await person.mutate('consents.revoke', { consentId: items.find(({ audience }) => audience === server.url)?.consentId })
  await expect.poll(() => isRefused(second.access_token)).toBe(true)
  expect(await isRefused(first.access_token)).toBe(true)
  // The refresh token is dead too: the client asks the person again
  const again = start(client, 'read-notes')
  expect((await urlOf(again)).searchParams.get('client_id')).toBe(clientUrl)
  expect(await decided(again, { decision: 'deny' })).toMatch(/^1 /)
  expect(again.text()).toContain('access_denied: the person has denied the request')
})

test('a response with another state, or of another registry, is not for the client', async () => {
  const client = await aClient()
  await using running = start(client)
  const state = (await urlOf(running)).searchParams.get('state') ?? ''
  const statuses = [
    { code: 'x', state: 'other', iss: registry.issuer },
    { code: 'x', state, iss: 'https://evil.example' },
    { code: 'x', state },
  ].map(async (query) => (await fetch(`http://127.0.0.1:${client.env.PORT}/callback?${new URLSearchParams(query)}`)).status)
  expect(await Promise.all(statuses)).toEqual([404, 404, 404])
})

test('a resource that refuses bearer tokens gives a client without a key none, and the refusal says so', async () => {
  const at = { registry, acme, folder: folder.path }
  await using strict = await startNotesServer(at, { bearer: 'refused', allowBearer: true, policy: POLICY })
  const running = start(await aClient({ MCP_URL: strict.url }))
  expect(await decided(running)).toMatch(/^1 /)
  expect(running.text()).toContain('DPoP')
})

test('a registry without outgoing requests does not announce metadata documents, so the client stops', async () => {
  await using closed = await startRegistry({ clock: runningClock(), servers: 1, outgoing: { mode: 'off', allow: [] } })
  const at = { registry: closed, acme: await closed.organisation('Acme'), folder: folder.path }
  await using other = await startNotesServer(at, { bearer: 'allowed', allowBearer: true, policy: POLICY })
  const running = start(await aClient({ MCP_URL: other.url }))
  expect(await ended(running)).toMatch(/^1 /)
  expect(running.text()).toContain('does not support dynamic client registration')
})

test.runIf(hasChromium('the consent for an MCP client'))(
  'in Chromium a person signs in, allows and is sent back to the program',
  async () => {
    const running = start(await aClient())
    const url = await urlOf(running)
    const chromium = await launchChromium()
    const page = await chromium.newPage()
    await page.goto((await person.mutate<{ url: string }>('sessions.ticket', undefined)).url)
    await page.click('main button')
    await page.waitForURL('**/you')
    await page.goto(url.href)
    expect(await page.textContent('main')).toContain('Notes client')
    const end = ended(running)
    await page.click('text=Allow what is ticked')
    await page.waitForURL('**/callback**')
    expect(await page.textContent('body')).toBe('You can close this page.')
    expect(await end).toMatch(/^0 /)
    await chromium.close()
  },
)
