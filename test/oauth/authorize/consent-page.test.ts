// What a person reads before it decides: who asks, since when the registry knows the client, what is new, and what each right means.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer, proveKey } from '../../../src/credentials/jose/sign.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { aPublicClient } from '../../conformance/registration.js'
import { signedIn } from '../../identity/people/browser.js'
import { startHostile } from '../../lib/guarded-fetch/hostile-server.js'
import { aCard, type Registry, startRegistry } from '../../registry.js'
import { authorizationForm, decide, type PersonWorld, pageOf, personWorld, push, REDIRECT, ticked } from './person-world.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The text of the page, without tags and comments. */
const textOf = (html: string): string => html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
const shown = async (more = {}) => {
  const { body } = await push(registry, world, { prompt: 'consent', ...more })
  return textOf((await world.browser.get(pageOf(world, body.request_uri))).text)
}
/** The page for a client that is known by its URL. */
const shownTo = async (uri: string, ...resources: string[]) => {
  const { resource, ...form } = authorizationForm(registry, world, { client_id: uri, redirect_uri: REDIRECT })
  const query = new URLSearchParams(form as Record<string, string>)
  for (const one of resources) query.append('resource', one)
  return world.browser.get(`/oauth/authorize?${query}`)
}

test('the verdict of the card, a new name, host and key of an agent; for thirty days', async () => {
  const { client, admin } = world
  expect(await shown()).toContain('no published card')
  await client.publish({ card: aCard(registry) })
  expect(await shown()).toContain('its card is signed with a key that is registered here')
  registry.clock.advance(3600)
  await admin.mutate('agents.change', { agentId: client.agentId, name: `Renamed ${random.token(4)}` })
  await admin.mutate('agents.change', { agentId: client.agentId, redirectUris: [REDIRECT, 'https://new.example/cb'] })
  const signer = await newEs256Signer()
  const proof = await proveKey({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner: client.agentId })
  await admin.mutate('keys.register', { owner: client.agentId, use: 'client', jwk: signer.publicJwk, proof })
  world = { ...world, browser: await signedIn(registry, world.person) }
  expect(await shown()).toContain('New in the last 30 days a new name, a new host to return to, a new key')
  registry.clock.advance(30 * 86_400)
  world = { ...world, browser: await signedIn(registry, world.person) }
  expect(await shown()).not.toContain('New in the last 30 days')
})

test('narrower scopes that a right includes, the cost of a call, and the names of those to whom it may be passed on', async () => {
  const uri = 'http://127.0.0.1:9/described'
  await world.admin.mutate('resources.register', {
    uri,
    name: 'Files',
    scopes: [
      { scope: 'files', words: 'All of your files', cost: 2 },
      { scope: 'files/delete', words: 'Delete files', cost: 5 },
    ],
    policy: { mode: 'open' },
  })
  const { items } = await world.admin.query<{ items: { agentId: string; ceiling: { rights: object[] } }[] }>('agents.list', {})
  const rights = items.find(({ agentId }) => agentId === world.client.agentId)?.ceiling.rights ?? []
  await world.admin.mutate('agents.change', {
    agentId: world.client.agentId,
    ceiling: { rights: [...rights, { audience: uri, scope: 'files' }], delegationDepth: 2 },
  })
  const text = await shown({
    resource: uri,
    scope: 'files',
    delegation: JSON.stringify({ depth: 2, rights: [{ audience: world.archive.audience, scope: 'ocr:read' }] }),
  })
  expect(text).toContain('All of your files')
  expect(text).toContain('each call uses 5 budget units')
  expect(text).toMatch(/includes files\/delete Delete files/)
  expect(text).toMatch(/up to 2 levels: ocr:read at Archive/)
})

test('a client that is known by its URL: not known here, then since its first consent; its changes', async () => {
  let served: Record<string, unknown> = {}
  await using host = await startHostile(
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(served)),
    { tls: false },
  )
  const uri = `http://127.0.0.1:${host.port}/client.json`
  served = { ...aPublicClient({ redirect_uris: [REDIRECT] }), client_id: uri }
  const resource = 'http://127.0.0.1:9/of-url'
  await world.admin.mutate('resources.register', {
    uri: resource,
    name: 'Files',
    scopes: [{ scope: 'files', words: 'Files' }],
    policy: { mode: 'ask', externalClients: 'withPerson' },
    bearer: 'allowed',
  })
  const first = await shownTo(uri, resource)
  expect(textOf(first.text)).toContain('Known since not known here')
  expect(textOf(first.text)).toContain(`Application 127.0.0.1:${host.port}`)
  expect((await decide(world.browser, first)).status).toBe(303)
  expect(textOf((await shownTo(uri, resource)).text)).toMatch(/Known since \d{4}-/)
  registry.clock.advance(301)
  served = { ...served, client_name: 'Another', redirect_uris: [REDIRECT, 'https://elsewhere.example/cb'] }
  expect(textOf((await shownTo(uri, resource)).text)).toContain('New in the last 30 days a new name, a new host to return to')
})

test('a page with as many rights as a request may have can be allowed', async () => {
  let served: object = {}
  await using host = await startHostile(
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(served)),
    { tls: false },
  )
  const uri = `http://127.0.0.1:${host.port}/many.json`
  served = { ...aPublicClient({ redirect_uris: [REDIRECT] }), client_id: uri }
  const scopes = Array.from({ length: 64 }, (_, index) => ({ scope: `scope${index}`, words: 'x' }))
  const resources = Array.from({ length: 8 }, (_, index) => `http://127.0.0.1:9/many-${index}`)
  for (const resource of resources)
    await world.admin.mutate('resources.register', {
      uri: resource,
      name: 'Many',
      scopes,
      policy: { mode: 'ask', externalClients: 'withPerson' },
      bearer: 'allowed',
    })
  const page = await shownTo(uri, ...resources)
  expect(ticked(page)).toHaveLength(512)
  expect(await decide(world.browser, page)).toMatchObject({ status: 303, location: expect.stringContaining('code=') })
})
