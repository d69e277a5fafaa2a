import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { rowsOf } from '../../../src/registry/cards/search-rows/search-rows.js'
import { CARDS } from '../../../src/registry/cards/store.js'
import { indexingCard } from '../../../src/storage/storage.js'
import { proofOf } from '../../oauth/requests.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce } from '../../stories/actors.js'

const CARD = 'application/a2a-agent-card+json'
const skill = (id: string, tags: string[], more: JsonObject = {}) => ({
  ...{ id, name: `Skill ${id}`, description: `Does ${id}.`, tags },
  ...more,
})
const post = (registry: Registry, path: string, body: object | string, headers: Record<string, string> = {}) =>
  registry.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const lookUp = (registry: Registry, segment: string, init?: RequestInit) =>
  registry.fetch(`/agents/${segment}`, { redirect: 'manual', ...init })
const urnOf = ({ agentId }: AgentActor) => `urn:air:127.0.0.1:agents:${agentId}`
const failure = async (response: Response) => [response.status, await response.json()]

let registry: Registry
let acme: Actor
let weather: AgentActor
let ocr: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  const publish = async (name: string, skills: JsonObject[], hide: string[] = []) => {
    const agent = await registry.agent({ registeredBy: acme, name, introductionPolicy: { mode: 'open' } })
    await agent.publish({ card: aCard(registry, { name, description: `The ${name}.`, skills }), hide })
    registry.clock.advance(60)
    return agent
  }
  const examples = ['will it rain in Oslo tomorrow', 'wind speed in Chicago']
  weather = await publish('weather agent', [skill('forecast', ['weather', 'forecast'], { examples })])
  ocr = await publish('document reader', [skill('read', ['ocr']), skill('passport', ['secret-tag'])], ['/skills/1'])
})
afterAll(() => registry[Symbol.asyncDispose]())

const attestations = (agent: AgentActor, digest?: string) => [
  { type: 'A2A-Agent-Card', uri: `${agent.audience}/.well-known/agent-card.json`, mediaType: CARD, ...(digest && { digest }) },
  { type: 'Publisher-JWKS', uri: `${agent.audience}/jwks.json`, mediaType: 'application/jwk-set+json' },
  { type: 'Registry-JWKS', uri: `${registry.issuer}/.well-known/jwks.json`, mediaType: 'application/jwk-set+json' },
  { type: 'Trust-Log-Checkpoint', uri: `${registry.issuer}/log/checkpoint`, mediaType: 'text/plain' },
]
const weatherEntry = (digest?: string) => ({
  identifier: urnOf(weather),
  displayName: 'weather agent',
  type: CARD,
  url: `${weather.audience}/.well-known/agent-card.json`,
  description: 'The weather agent.',
  tags: ['weather', 'forecast'],
  capabilities: ['forecast'],
  version: '1.0.0',
  metadata: { agentId: weather.agentId, organisationId: weather.orgId, audience: weather.audience, verdict: 'signed' },
  trustManifest: { identity: weather.audience, identityType: 'other', attestations: attestations(weather, digest) },
})

describe('GET /agents/{identifier}', () => {
  test('returns the complete entry, with the digest of the card that it points at', async () => {
    const entry = await (await lookUp(registry, encodeURIComponent(urnOf(weather)))).json()
    const card = await (await fetch(entry.url)).arrayBuffer()
    const digest = `sha256:${Buffer.from(await crypto.subtle.digest('SHA-256', card)).toString('hex')}`
    expect(entry).toEqual({
      ...weatherEntry(digest),
      representativeQueries: ['will it rain in Oslo tomorrow', 'wind speed in Chicago'],
      updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
    })
    for (const { uri } of entry.trustManifest.attestations) expect((await fetch(uri)).status, uri).toBe(200)
  })

  test('decodes the identifier once', async () => {
    const urn = urnOf(weather)
    const letter = urn.at(-1) ?? ''
    const hex = letter.charCodeAt(0).toString(16)
    expect((await lookUp(registry, urn)).status).toBe(200)
    expect((await lookUp(registry, urn.replace(/.$/, `%${hex}`))).status).toBe(200)
    expect((await lookUp(registry, encodeURIComponent(encodeURIComponent(urn)))).status).toBe(400)
    expect((await lookUp(registry, urn.replace(/.$/, `%25${hex}`))).status).toBe(400)
  })

  test('compares exactly: another case, a suffix or another publisher is another identifier', async () => {
    const urn = urnOf(weather)
    const absent = [
      urn.replace(':agents:', ':Agents:'),
      urn.replace('agt_', 'AGT_'),
      `${urn}:x`,
      `${urn}x`,
      urn.replace('127.0.0.1', '127.0.0.2'),
      urn.replace(':agents:', ':agents:agents:'),
      'urn:air:ard-conformance.invalid:probe:not-found',
    ]
    for (const one of absent) expect((await lookUp(registry, encodeURIComponent(one))).status, one).toBe(404)
  })

  test.each([
    'not-a-valid-ard-urn',
    'urn:air:',
    'urn:air:127.0.0.1',
    'urn%3Aai%3A127.0.0.1%3Aagents%3Ax',
    'URN%3Aair%3A127.0.0.1%3Aagents%3Ax',
    'urn%3Aair%3Aa%2Fb%3Aagents%3Ax',
    'urn%3Aair%3A127.0.0.1%3Aagents%3A',
    'urn%3Aair%3A127.0.0.1%3Aagents%3Ax%0A',
    'agt_short',
    '%ff',
  ])('the identifier %s gets 400', async (segment) => {
    expect(await failure(await lookUp(registry, segment))).toEqual([
      400,
      { errorCode: 'INVALID_ARGUMENT', message: expect.stringMatching(/identifier|malformed/) },
    ])
  })

  test('a caller with the ETag gets 304, and HEAD sends no body', async () => {
    const segment = encodeURIComponent(urnOf(weather))
    const response = await lookUp(registry, segment)
    const etag = response.headers.get('etag') ?? ''
    expect([etag.length, response.headers.get('cache-control')]).toEqual([45, 'public, max-age=60'])
    const again = await lookUp(registry, segment, { headers: { 'if-none-match': etag } })
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, ''])
    const head = await lookUp(registry, segment, { method: 'HEAD' })
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, ''])
  })

  test('the address of an agent still redirects, whether the agent exists or not', async () => {
    for (const id of [weather.agentId, `agt_${'x'.repeat(22)}`]) {
      const response = await lookUp(registry, id)
      expect([response.status, response.headers.get('location')]).toEqual([308, `/agents/${id}/`])
    }
  })
})

describe('the catalog', () => {
  test('ard.json and ai-catalog.json begin with the registry, whose entry names the address of the search', async () => {
    const [ard, catalog] = await Promise.all(['/.well-known/ard.json', '/.well-known/ai-catalog.json'].map((path) => registry.fetch(path)))
    expect([ard?.headers.get('content-type'), catalog?.headers.get('content-type')]).toEqual([
      'application/json; charset=utf-8',
      'application/ai-catalog+json',
    ])
    const manifest = await ard?.json()
    expect(await catalog?.json()).toEqual(manifest)
    const { specVersion, host, entries } = manifest
    expect([specVersion, host.displayName, host.identifier]).toEqual(['1.0', 'Agent registry at 127.0.0.1', '127.0.0.1'])
    const [own, ...agents] = entries
    expect([own.type, own.url]).toEqual(['application/ai-registry+json', `${registry.issuer}/`])
    expect((await post(registry, new URL('search', own.url).pathname, { query: { text: 'weather' } })).status).toBe(200)
    expect(await (await lookUp(registry, own.identifier)).json()).toEqual(own)
    const alone = await Promise.all([ocr, weather].map(async (agent) => (await lookUp(registry, urnOf(agent))).json()))
    expect(agents).toEqual(alone)
  })

  test('a catalog of more than one page continues in nested catalogs', async () => {
    const seen: string[] = []
    const sizes: number[] = []
    for (let url = `${registry.issuer}/.well-known/ard.json?pageSize=1`; url !== ''; ) {
      const { entries } = await (await fetch(url)).json()
      const last = entries.at(-1)
      sizes.push(entries.length)
      seen.push(
        ...entries.filter(({ type }: { type: string }) => type === CARD).map(({ identifier }: { identifier: string }) => identifier),
      )
      url = last?.type === 'application/ai-catalog+json' ? last.url : ''
    }
    expect(seen).toEqual([urnOf(ocr), urnOf(weather)])
    // The registry, an agent and the next catalog; then an agent
    expect(sizes).toEqual([3, 1])
  })

  test.each([
    '?pageToken=x',
    '?pageToken=',
    '?page=2',
    '?pageSize=101',
    '?pageSize=0x10',
    '?pageToken=a&pageToken=b',
  ])('ard.json%s is refused', async (query) => {
    const [status, body] = await failure(await registry.fetch(`/.well-known/ard.json${query}`))
    expect([status, body.errorCode]).toEqual([400, 'INVALID_ARGUMENT'])
  })

  test('a page of another origin may read and search it', async () => {
    for (const path of ['/.well-known/ard.json', '/agents', `/agents/${urnOf(weather)}`, '/agents/nothing'])
      expect((await registry.fetch(path, { headers: { origin: 'https://a.example' } })).headers.get('access-control-allow-origin')).toBe(
        '*',
      )
    const preflight = await registry.fetch('/search', {
      method: 'OPTIONS',
      headers: { origin: 'https://a.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'Content-Type, If-None-Match'])
  })
})

describe('GET /agents', () => {
  const list = async (query: Record<string, string>) => (await registry.fetch(`/agents?${new URLSearchParams(query)}`)).json()

  test('lists the entries with their number, the newest first, page by page', async () => {
    const first = await list({ pageSize: '1', orderBy: 'updatedAt DESC' })
    expect([first.total, first.items[0].identifier]).toEqual([2, urnOf(ocr)])
    const second = await list({ pageSize: '1', pageToken: first.pageToken })
    expect(second.items).toEqual([{ ...(await (await lookUp(registry, urnOf(weather))).json()) }])
    const rest = second.pageToken ? await list({ pageSize: '1', pageToken: second.pageToken }) : { items: [] }
    expect(rest.items).toEqual([])
  })

  test('shows an entry of an earlier release without digest and queries, until its card is indexed again', async () => {
    const agent = await registry.agent({ registeredBy: acme, name: 'kept row' })
    await agent.publish({ card: aCard(registry, { name: 'kept row', skills: [skill('kept', ['kept'])] }) })
    const [row] = rowsOf((await registry.storage.collection(CARDS).get(agent.agentId)) ?? expect.fail())
    const { catalog, ...summary } = row?.summary ?? expect.fail()
    expect(catalog).toBeDefined()
    await registry.storage.commit([indexingCard(agent.agentId, [{ ...(row ?? expect.fail()), summary }])])
    const { items } = await list({ filter: 'capabilities = kept' })
    expect(items).toMatchObject([{ displayName: 'kept row' }])
    expect(items[0].updatedAt).toBeUndefined()
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
  })

  test.each([
    [`type = '${CARD}'`, 2],
    ["type = 'application/mcp-server-card+json'", 0],
    [`type = 'application/mcp-server-card+json, ${CARD}' AND publisherId = "127.0.0.1"`, 2],
    ['publisherId = acme.com', 0],
    ["tags = 'ocr' AND type = 'a2a'", 0],
    ["tags = 'ocr'", 1],
    ["capabilities = 'forecast'", 1],
    ["tags = 'secret-tag'", 0],
    ["tags = 'ocr, weather'", 2],
    ["tags = 'ocr' AND capabilities = 'forecast'", 0],
    ["updatedAfter = '2000-01-01'", 2],
    ["updatedAfter > '2000-01-01T00:00:00+01:00' AND tags = weather", 1],
    ["updatedAfter > '2100-01-01'", 0],
  ])('the filter %s matches %i entries', async (filter, total) => {
    expect((await list({ filter })).total).toBe(total)
  })

  test.each([
    [{ filter: 'type' }, /^filter: expected <field> =/],
    [{ filter: '' }, /^filter: /],
    [{ filter: "type = 'a' OR type = 'b'" }, /^filter: /],
    [{ filter: "type = 'a' AND type = 'b'" }, /^filter: type stands there twice/],
    [{ filter: "publisher = 'a' AND publisherId = 'b'" }, /^filter: publisherId stands there twice/],
    [{ filter: "updatedAfter = 'yesterday'" }, /^filter: updatedAfter is no ISO 8601 date or time/],
    [{ filter: "type > 'a'" }, /^filter: only updatedAfter is compared by >/],
    [{ filter: "type = ''" }, /^filter: type has an empty value/],
    [{ filter: "displayName = 'x'" }, /^\/filter\/displayName: filter by type, .*publisher/],
    [{ filter: "__proto__ = 'x'" }, /^filter: /],
    [{ filter: "constructor = 'x'" }, /^\/filter\/constructor: /],
    [{ orderBy: 'displayName' }, /^orderBy: must be "updatedAt DESC"/],
    [{ pageSize: '0' }, /^pageSize: must be at least 1/],
    [{ pageSize: '101' }, /^pageSize: must be at most 100/],
    [{ pageSize: 'many' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: '1e1' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: '0x10' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: ' 5' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: '+5' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: '1.0' }, /^pageSize: must be an? (integer|number)/],
    [{ pageSize: '9'.repeat(400) }, /^pageSize: /],
    [{ pageSize: '' }, /^pageSize: must be an? (integer|number)/],
    [{ pagesize: '5' }, /^unknown member pagesize/],
    [{ pageToken: 'x' }, /^the cursor does not belong/],
  ])('the query %j is refused', async (query, message) => {
    expect(await list(query)).toEqual({ errorCode: 'INVALID_ARGUMENT', message: expect.stringMatching(message) })
  })
})

describe('POST /search', () => {
  const search = async (body: object | string, headers?: Record<string, string>) => {
    const response = await post(registry, '/search', body, headers)
    return { status: response.status, ...(await response.json()) }
  }

  test('returns entries with their relevance and this registry as source', async () => {
    const { status, ...response } = await search({ query: { text: 'weather' } })
    expect(status).toBe(200)
    expect(response).toEqual({
      results: [{ ...weatherEntry(), score: expect.any(Number), source: `${registry.issuer}/` }],
    })
    const [{ score }] = response.results
    expect(Number.isInteger(score) && score >= 0 && score <= 100).toBe(true)
  })

  test('finds by a sentence, the better match first', async () => {
    const { results } = await search({ query: { text: 'I need a weather agent with a forecast, or a reader' } })
    expect(results.map(({ identifier }: { identifier: string }) => identifier)).toEqual([urnOf(weather), urnOf(ocr)])
    const [best, other] = results
    expect(best.score).toBeGreaterThan(other.score)
  })

  test('every mode of federation searches this registry; only `referrals` returns referrals, and there are none', async () => {
    for (const federation of ['none', 'auto', 'referrals']) {
      const { results, referrals } = await search({ query: { text: 'weather' }, federation })
      expect([results.length, referrals]).toEqual([1, federation === 'referrals' ? [] : undefined])
    }
  })

  test.each([
    [{ type: ['application/mcp-server-card+json'] }, 0],
    [{ type: ['application/mcp-server-card+json', CARD] }, 1],
    [{ type: CARD, tags: 'weather' }, 1],
    [{ tags: ['ocr'] }, 0],
    [{ tags: ['ocr', 'weather'] }, 1],
    [{ tags: ['weather'], capabilities: ['read'] }, 0],
    [{ publisher: ['127.0.0.1'], capabilities: ['forecast'] }, 1],
    [{ publisher: ['acme.com'] }, 0],
    [{ 'trustManifest.attestations.type': ['SOC2-Type2'] }, 0],
    [{ 'trustManifest.attestations.type': ['SOC2-Type2', 'A2A-Agent-Card'] }, 1],
  ])('the filter %j leaves %i results', async (filter, count) => {
    expect((await search({ query: { text: 'agent weather', filter } })).results).toHaveLength(count)
  })

  test('the facts of the registry can be filtered by', async () => {
    const ofOrganisation = (id: string) => search({ query: { text: 'weather', filter: { 'metadata.organisationId': id } } })
    expect((await ofOrganisation(acme.orgId)).results).toHaveLength(1)
    expect((await ofOrganisation(`org_${'x'.repeat(22)}`)).results).toHaveLength(0)
  })

  test('a prefix of the query’s context names the same member', async () => {
    const filtered = (context: object | string, filter: object) => search({ query: { '@context': context, text: 'weather', filter } })
    expect((await filtered({ a: 'https://agenticresourcediscovery.org/ns#' }, { 'a:tags': 'weather' })).results).toHaveLength(1)
    expect((await filtered('https://agenticresourcediscovery.org/context/v1', { tags: 'weather' })).results).toHaveLength(1)
    for (const [context, filter] of [
      [{ tags: 'https://other.example/tags' }, { tags: 'weather' }],
      [{ okf: 'https://openknowledgeformat.org/ns#' }, { 'okf:taxonomy': 'us-gaap' }],
      [{}, { 'okf:taxonomy': 'us-gaap' }],
      ['https://other.example/context', { tags: 'weather' }],
    ] as const)
      expect(await filtered(context, filter)).toMatchObject({ status: 400, errorCode: 'INVALID_ARGUMENT' })
  })

  test('pages of a search hold every result once', async () => {
    const seen: string[] = []
    let pageToken: string | undefined
    do {
      const page = await search({ query: { text: 'weather document' }, pageSize: 1, ...(pageToken && { pageToken }) })
      seen.push(...page.results.map(({ identifier }: { identifier: string }) => identifier))
      pageToken = page.pageToken
    } while (pageToken)
    expect(seen.sort()).toEqual([urnOf(ocr), urnOf(weather)].sort())
  })

  test.each([
    [{}, /^query: required/],
    [{ query: {} }, /^query\.text: required/],
    [{ query: { text: '  ' } }, /^query\.text: must not be blank/],
    [{ query: { text: 'x'.repeat(513) } }, /^query\.text: must have at most 512 characters/],
    [{ query: { text: 'x' }, pageSize: 101 }, /^pageSize: must be at most 100/],
    [{ query: { text: 'x' }, pageSize: 0 }, /^pageSize: must be at least 1/],
    [{ query: { text: 'x' }, pageSize: '5' }, /^pageSize: /],
    [{ query: { text: 'x' }, federation: 'all' }, /^federation: must be one of auto, referrals, none/],
    [{ query: { text: 'x' }, pageToken: 'x' }, /^the cursor does not belong/],
    [{ query: { text: 'x' }, limit: 5 }, /^unknown member limit/],
    [{ query: { text: 'x', filters: {} } }, /^query: unknown member filters/],
    [{ query: { text: 'x', filter: { okf: 'x' } } }, /^\/query\/filter\/okf: filter by/],
    [{ query: { text: 'x', filter: { 'metadata/x': 'x' } } }, /^\/query\/filter\/metadata~1x: filter by/],
    [{ query: { text: 'x', filter: { tags: 5 } } }, /^query\.filter\.tags: must be a text, or 1 to 16 texts/],
    [{ query: { text: 'x', filter: { tags: [] } } }, /^query\.filter\.tags: /],
    [
      { query: { text: 'x', filter: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`f${i}`, 'x'])) } },
      /^query\.filter: must have at most 16 members/,
    ],
    ['{', /^invalid JSON: /],
    ['{"query":{"text":"x","text":"y"}}', /^invalid JSON: a duplicate member name/],
    ['[]', /must be an object/],
    ['', /^invalid JSON: /],
  ])('the body %j is refused', async (body, message) => {
    const { status, ...error } = await search(body)
    expect([status, error]).toEqual([400, { errorCode: 'INVALID_ARGUMENT', message: expect.stringMatching(message) }])
  })

  test('other media types, other methods, larger bodies and false credentials are refused in the form of ARD', async () => {
    expect(await search({ query: { text: 'x' } }, { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      errorCode: 'INVALID_ARGUMENT',
    })
    expect(await failure(await registry.fetch('/search'))).toMatchObject([405, { errorCode: 'METHOD_NOT_ALLOWED' }])
    expect(await search({ query: { text: 'x'.repeat(70_000) } })).toMatchObject({ status: 413, errorCode: 'INVALID_ARGUMENT' })
    expect(await search({ query: { text: 'x' } }, { authorization: 'Bearer x' })).toMatchObject({
      status: 401,
      errorCode: 'UNAUTHENTICATED',
    })
  })
})

describe('POST /explore', () => {
  const explore = async (body: object) => (await post(registry, '/explore', body)).json()
  const field = (name: string, more: object = {}) => ({ resultType: { facets: [{ field: name, ...more }] } })

  test('counts the entries that match', async () => {
    const bucket = (value: string, count: number) => ({ buckets: [{ value, count }], otherCount: 0 })
    expect(await explore({ resultType: { facets: [{ field: 'type' }, { field: 'publisher' }] } })).toEqual({
      resultType: 'facets',
      facets: { type: bucket(CARD, 2), publisher: bucket('127.0.0.1', 2) },
    })
    expect((await explore({ query: { text: 'weather' }, ...field('type') })).facets.type).toEqual(bucket(CARD, 1))
    const none = { buckets: [], otherCount: 0 }
    expect((await explore({ query: { text: 'nothing' }, ...field('type') })).facets.type).toEqual(none)
    expect((await explore({ query: { filter: { type: 'application/x' } }, ...field('type') })).facets.type).toEqual(none)
    expect((await explore({ query: { filter: { tags: 'secret-tag' } }, ...field('type') })).facets.type).toEqual(none)
    expect((await explore(field('type', { minCount: 3 }))).facets.type).toEqual(none)
  })

  test('counts the values of members that differ, among the parts that the caller may see', async () => {
    const { facets } = await explore({ resultType: { facets: [{ field: 'tags', limit: 2 }, { field: 'capabilities' }] } })
    expect(facets.tags).toEqual({
      buckets: [
        { value: 'forecast', count: 1 },
        { value: 'ocr', count: 1 },
      ],
      otherCount: 1,
    })
    expect(facets.capabilities.buckets.map(({ value }: { value: string }) => value)).toEqual(['forecast', 'read'])
    expect((await explore({ query: { filter: { tags: 'ocr' } }, ...field('tags') })).facets.tags).toEqual({
      buckets: [{ value: 'ocr', count: 1 }],
      otherCount: 0,
    })
    expect((await explore(field('tags', { minCount: 2 }))).facets.tags).toEqual({ buckets: [], otherCount: 0 })
  })

  test.each([
    [{}, /^resultType: required/],
    [{ resultType: { facets: [] } }, /^resultType\.facets: /],
    [{ resultType: { counts: [] } }, /resultType/],
    [field('nothing'), /^\/resultType\/facets\/0\/field: count by /],
    [field('__proto__'), /^\/resultType\/facets\/0\/field: /],
    [field('type', { limit: 101 }), /^resultType\.facets\.0\.limit: must be at most 100/],
    [{ resultType: { facets: Array(17).fill({ field: 'type' }) } }, /^resultType\.facets: must have at most 16 elements/],
  ])('the body %j is refused', async (body, message) => {
    expect(await explore(body)).toEqual({ errorCode: 'INVALID_ARGUMENT', message: expect.stringMatching(message) })
  })
})

test('an introduced caller finds non-public skills by a search with its token, and nobody else does', async () => {
  const caller = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
  const text = { query: { text: 'passport' } }
  const found = async (actor: AgentActor) => {
    const { accessToken } = await actor.token()
    const dpop = await proofOf(registry, actor.signer, { htm: 'POST', path: '/search', accessToken })
    const response = await post(registry, '/search', text, { authorization: `DPoP ${accessToken}`, dpop })
    return (await response.json()).results.map(({ capabilities }: { capabilities: string[] }) => capabilities)
  }
  expect(await found(caller)).toEqual([])
  await introduce(caller, ocr)
  expect(await found(caller)).toEqual([['read', 'passport']])
  const anonymous = [
    await (await post(registry, '/search', text)).text(),
    ...(await Promise.all(
      ['/agents', '/.well-known/ard.json', `/agents/${urnOf(ocr)}`].map(async (path) => (await registry.fetch(path)).text()),
    )),
  ]
  for (const response of anonymous) expect(response).not.toMatch(/passport|secret-tag/)
})

test('all identifiers without an entry get the same response: unknown, without a card, unpublished, revoked', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const [unpublished, revoked, without] = await Promise.all(
    ['unpublished', 'revoked', 'without'].map((name) => registry.agent({ registeredBy: acme, name })),
  )
  if (!unpublished || !revoked || !without) throw new Error('three agents')
  for (const agent of [unpublished, revoked]) {
    await agent.publish({ card: aCard(registry) })
    expect((await lookUp(registry, urnOf(agent))).status).toBe(200)
  }
  await unpublished.mutate('cards.unpublish', { agentId: unpublished.agentId })
  await acme.mutate('agents.revoke', { agentId: revoked.agentId })
  const identifiers = [
    urnOf(unpublished),
    urnOf(revoked),
    urnOf(without),
    `urn:air:127.0.0.1:agents:agt_${'x'.repeat(22)}`,
    'urn:air:a.example:b',
  ]
  const responses = await Promise.all(
    identifiers.map(async (one) => {
      const response = await lookUp(registry, one)
      const { date: _, ...headers } = Object.fromEntries(response.headers)
      return JSON.stringify([response.status, headers, await response.text()])
    }),
  )
  expect(new Set(responses).size).toBe(1)
  expect(responses[0]).toContain('"cache-control":"no-store"')
  expect(responses[0]).toContain('{\\"errorCode\\":\\"NOT_FOUND\\",\\"message\\":\\"no entry has this identifier\\"}')
  expect((await (await registry.fetch('/agents')).json()).items).toEqual([])
  expect((await (await registry.fetch('/.well-known/ard.json')).json()).entries).toHaveLength(1)
  expect((await (await post(registry, '/search', { query: { text: 'ocelot' } })).json()).results).toEqual([])
})

test('requests past a rate get 429 in the form of ARD, with the time to wait', async () => {
  await using limited = await startRegistry({ servers: 1, limits: 'on' })
  const refused = () => post(limited, '/search', { query: { text: 'x' } }, { authorization: 'Bearer x' })
  for (let i = 0; i < 80; i++) expect((await refused()).status).toBe(401)
  const response = await refused()
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await failure(response)).toEqual([
    429,
    { errorCode: 'RATE_LIMIT_EXCEEDED', message: expect.stringContaining('unverified-credentials') },
  ])
})
