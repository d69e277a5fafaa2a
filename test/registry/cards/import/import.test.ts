import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CredenceError } from '../../../../src/errors.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import type { CardImported } from '../../../../src/registry/cards/import/import.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const importing = async (from: object): Promise<CardImported> => {
  agent = await registry.agent()
  return agent.mutate<CardImported>('cards.import', { agentId: agent.agentId, ...from })
}
const importingCard = (card: JsonObject) => importing({ card: JSON.stringify(card) })
const refusalOf = (work: Promise<unknown>): Promise<CredenceError> =>
  work.then(
    () => expect.unreachable('it was not refused'),
    (error) => error,
  )
const faultsOf = ({ faults }: CardImported) => faults.map(({ code, pointer }) => `${code} ${pointer}`)

describe('a card that does not follow A2A', () => {
  test('is found only on request, and what can be read of it is shown', async () => {
    const imported = await importingCard({
      name: 'Quirky Zebra',
      url: 'http://127.0.0.1:9/a2a',
      capabilities: ['streaming'],
      skills: [{ name: 'Count stripes', tags: ['stripes', 7] }, 'no skill', { id: 'b', description: 'x'.repeat(20_000) }],
      documentationUrl: 'docs',
    })
    expect(imported).toMatchObject({ state: 'nonconformant', verdict: { state: 'nonconformant' }, version: 1, moreFaults: 0 })
    expect(faultsOf(imported)).toEqual([
      'missing-member /description',
      'missing-member /version',
      'invalid-url /documentationUrl',
      'wrong-type /capabilities',
      'missing-member /defaultInputModes',
      'missing-member /defaultOutputModes',
      'missing-member /skills/0/id',
      'missing-member /skills/0/description',
      'wrong-type /skills/0/tags/1',
      'wrong-type /skills/1',
      'missing-member /skills/2/name',
      'too-large /skills/2/description',
      'missing-member /skills/2/tags',
    ])
    const search = (more: object) =>
      agent.query<{ hits: JsonObject[]; total: number }>('discovery.search', { text: 'quirky zebra', ...more })
    expect((await search({})).total).toBe(0)
    const { hits } = await search({ includeNonconformant: true })
    expect(hits).toMatchObject([
      {
        agentId: agent.agentId,
        endpoint: 'http://127.0.0.1:9/a2a',
        text: { name: 'Quirky Zebra', description: '' },
        skills: [{ id: '', name: 'Count stripes', tags: ['stripes'] }, { id: 'b' }],
      },
    ])
    expect(await agent.query('cards.get', { agentId: agent.agentId })).toMatchObject({ facts: { verdict: { state: 'nonconformant' } } })
  })

  test('cannot be published, and all its faults are named at once', async () => {
    agent = await registry.agent()
    const card = aCard(registry, {
      description: 1,
      securityRequirements: [{ schemes: { other: { list: [] } } }],
      supported_interfaces: [],
    })
    const refusal = await refusalOf(agent.mutate('cards.publish', { agentId: agent.agentId, publicCard: JSON.stringify(card) }))
    expect(refusal).toMatchObject({ reason: 'card_invalid' })
    expect(refusal.faults.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/description',
      '/securityRequirements/0/schemes/other',
      '/supported_interfaces',
    ])
  })

  test('with more than 256 faults has the first 256 listed and the others counted; the verdict says how many hints it leaves out', async () => {
    const skills = Array.from({ length: 250 }, () => ({ id: 'x', name: 'x' }))
    const imported = await importingCard(aCard(registry, { skills }))
    // Each skill lacks description and tags, and all but one repeat the id
    expect([imported.faults.length, imported.moreFaults]).toEqual([256, 250 * 2 + 249 - 256])
    expect(imported.verdict?.hints.length).toBe(16)
    expect(imported.verdict?.hints.at(-1)).toBe(`and ${250 * 2 + 249 - 15} more`)
    const refusal = await refusalOf(
      agent.mutate('cards.publish', { agentId: agent.agentId, publicCard: JSON.stringify(aCard(registry, { skills })) }),
    )
    expect([refusal.faults.length, refusal.message]).toEqual([32, expect.stringContaining('749 faults; the first 32 are listed')])
  })

  test('becomes conformant with its next version, and search finds it', async () => {
    await importingCard({ ...aCard(registry), name: 'Reformed Yak', version: 1 })
    const found = async () => (await agent.query<{ total: number }>('discovery.search', { text: 'reformed yak' })).total
    expect(await found()).toBe(0)
    const card = JSON.stringify({ ...aCard(registry), name: 'Reformed Yak' })
    expect(await agent.mutate('cards.import', { agentId: agent.agentId, card })).toMatchObject({
      state: 'accepted',
      version: 2,
      faults: [],
    })
    expect(await found()).toBe(1)
  })
})

describe('pointers lead into the file of the publisher', () => {
  const flow = { tokenUrl: 'x', scopes: {} }
  const old = {
    protocolVersion: '0.3.0',
    name: 'a',
    description: '',
    version: '1',
    url: '',
    preferredTransport: 7,
    capabilities: { extensions: [{}] },
    supportsAuthenticatedExtendedCard: true,
    defaultInputModes: [],
    defaultOutputModes: [],
    additionalInterfaces: [{ url: '', transport: 'GRPC' }, { url: 'http://127.0.0.1:9/', transport: 'HTTP+JSON' }, { transport: 1 }],
    security: [{ gone: [] }, { key: [7] }],
    securitySchemes: {
      key: { type: 'apiKey', in: 'body', name: 'k' },
      open: { type: 'oauth2', flows: { clientCredentials: flow } },
      short: { type: 'apiKey', name: 'k' },
    },
    skills: [{ id: 'a', name: 'a', description: '', tags: [], security: [{ gone: [] }] }],
  }
  test('of a card of version 0.3', async () => {
    expect(faultsOf(await importingCard(old)).sort()).toEqual(
      [
        'invalid-url /securitySchemes/open/flows/clientCredentials/tokenUrl',
        'invalid-value /securitySchemes/key/in',
        'missing-member /additionalInterfaces/2/url',
        'missing-member /capabilities/extensions/0/uri',
        'missing-member /securitySchemes/short/in',
        'too-small /additionalInterfaces/0/url',
        'too-small /url',
        'undeclared-scheme /security/0/gone',
        'undeclared-scheme /skills/0/security/0/gone',
        'wrong-type /additionalInterfaces/2/transport',
        'wrong-type /preferredTransport',
        'wrong-type /security/1/key/0',
      ].sort(),
    )
  })

  test('of a card with the original field names of proto3', async () => {
    const { supportedInterfaces: _, defaultInputModes: __, ...rest } = aCard(registry)
    const card = {
      ...rest,
      supported_interfaces: [{ url: 'http://127.0.0.1:9/', protocol_binding: 7, protocol_version: '1.0' }],
      default_input_modes: 'text',
    }
    expect(faultsOf(await importingCard(card))).toEqual([
      'wrong-type /supported_interfaces/0/protocol_binding',
      'wrong-type /default_input_modes',
    ])
  })
})

describe('forms that the official SDKs serve', () => {
  const inMemory = (flow: JsonObject): JsonObject => ({
    scheme: {
      $case: 'oauth2SecurityScheme',
      value: { description: '', oauth2MetadataUrl: '', flows: { flow: { $case: 'clientCredentials', value: flow } } },
    },
  })
  const flow = { tokenUrl: 'https://id.acme.com/token', refreshUrl: '', scopes: { 'ocr:read': 'read' } }
  const key = { scheme: { $case: 'apiKeySecurityScheme', value: { description: '', location: 'header', name: 'x-key' } } }

  test('security schemes as the JavaScript SDK has them in memory are read, and the import says so', async () => {
    const imported = await importingCard(aCard(registry, { securitySchemes: { credence: inMemory(flow), key } }))
    expect(imported).toMatchObject({ state: 'accepted', verdict: { state: 'unsigned' } })
    expect(faultsOf(imported)).toEqual(['in-memory-form /securitySchemes/credence', 'in-memory-form /securitySchemes/key'])
    expect(await agent.query('cards.get', { agentId: agent.agentId })).toMatchObject({ facts: { scopes: ['ocr:read'] } })
  })

  test('they cannot be published, because other SDKs do not read them', async () => {
    agent = await registry.agent()
    const card = JSON.stringify(aCard(registry, { securitySchemes: { credence: inMemory(flow) } }))
    const refusal = await refusalOf(agent.mutate('cards.publish', { agentId: agent.agentId, publicCard: card }))
    expect([refusal.reason, refusal.faults[0]?.pointer]).toEqual(['card_invalid', '/securitySchemes/credence'])
  })

  test('faults inside them have their pointers', async () => {
    const imported = await importingCard(aCard(registry, { securitySchemes: { credence: inMemory({ ...flow, tokenUrl: 'x' }) } }))
    expect(faultsOf(imported)).toContain('invalid-url /securitySchemes/credence/scheme/value/flows/flow/value/tokenUrl')
  })

  test('two flows in one scheme are a warning at import and refused for publishing', async () => {
    const flows = { clientCredentials: flow, deviceCode: { ...flow, deviceAuthorizationUrl: 'https://id.acme.com/d' } }
    const card = aCard(registry, { securitySchemes: { credence: { oauth2SecurityScheme: { flows } } } })
    const imported = await importingCard(card)
    expect([imported.state, ...faultsOf(imported)]).toEqual([
      'accepted',
      'several-of-one /securitySchemes/credence/oauth2SecurityScheme/flows',
    ])
    expect(await reasonOf(agent.mutate('cards.publish', { agentId: agent.agentId, publicCard: JSON.stringify(card) }))).toBe('card_invalid')
  })
})

/** A site on loopback. */
async function startSite(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
const serving =
  (files: Readonly<Record<string, unknown>>): RequestListener =>
  (request, response) => {
    const file = files[request.url ?? '']
    if (file === undefined) return response.writeHead(404).end()
    return response.end(typeof file === 'string' ? file : JSON.stringify(file))
  }

describe('from a URL', () => {
  test('the exact bytes are stored, and the audit row names the host', async () => {
    const text = `${JSON.stringify(aCard(registry), null, 3)}\n`
    await using site = await startSite(serving({ '/card.json?x': text, '/.well-known/agent-card.json': `\ufeff${text}` }))
    expect(await importing({ url: `${site.url}/card.json?x` })).toMatchObject({
      state: 'accepted',
      version: 1,
      source: `${site.url}/card.json?x`,
    })
    expect(await (await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).text()).toBe(text)
    // A site stands for its well-known card, without the byte order mark
    const again = await agent.mutate('cards.import', { agentId: agent.agentId, url: site.url })
    expect(again).toMatchObject({ version: 1, source: `${site.url}/.well-known/agent-card.json` })
    const { items } = await registry.operator.query<{ items: JsonObject[] }>('audit.list', { orgId: agent.orgId, action: 'cards.import' })
    const { host } = new URL(site.url)
    expect(items.filter(({ subject }) => subject === agent.agentId)).toMatchObject([
      { facts: { state: 'accepted', host } },
      { facts: { version: 1, host } },
    ])
  })

  test('a URL that is not allowed or has no card is refused, and nothing is stored', async () => {
    await using site = await startSite(serving({ '/html': '<html>' }))
    agent = await registry.agent()
    const fromUrl = (url: string) => agent.mutate<CardImported>('cards.import', { agentId: agent.agentId, url })
    expect(await reasonOf(fromUrl('https://169.254.169.254/'))).toBe('url_not_allowed')
    expect(await reasonOf(fromUrl(registry.issuer))).toBe('url_not_allowed')
    expect(await reasonOf(fromUrl(`${site.url}/gone`))).toBe('fetch_failed')
    expect(await fromUrl(`${site.url}/html`)).toMatchObject({ state: 'refused', faults: [{ code: 'not-json' }] })
    expect(await reasonOf(agent.query('cards.get', { agentId: agent.agentId }))).toBe('not_found')
  })

  test('exactly one source is given, and nothing is fetched for a caller that may not import', async () => {
    let requests = 0
    await using site = await startSite((_, response) => {
      requests++
      response.end('{}')
    })
    agent = await registry.agent()
    const { agentId } = agent
    for (const input of [{}, { url: site.url, card: '{}' }, { url: site.url, catalog: site.url }, { url: site.url, entry: 'a' }])
      expect(await reasonOf(agent.mutate('cards.import', { agentId, ...input }))).toBe('bad_input')
    const other = await registry.organisation('Other')
    expect(await reasonOf(other.mutate('cards.import', { agentId, url: site.url }))).toBe('not_found')
    expect(requests).toBe(0)
  })
})

describe('from the catalog of another site', () => {
  const entry = (name: string, more: object) => ({
    identifier: `urn:air:acme.com:agents:${name}`,
    displayName: name,
    type: 'application/a2a-agent-card+json',
    ...more,
  })
  const catalogOf = (...entries: unknown[]) => ({ specVersion: '1.0', host: { displayName: 'Acme' }, entries })
  const other = entry('registry', { type: 'application/ai-registry+json', url: 'https://a.acme.com/' })

  test('the only agent card is imported, by a link relative to the catalog or as data', async () => {
    const card = aCard(registry)
    await using site = await startSite(
      serving({
        '/.well-known/ai-catalog.json': catalogOf(other, 7, entry('a', { url: '/cards/a.json' })),
        '/cards/a.json': card,
        '/data.json': catalogOf(entry('a', { data: card })),
      }),
    )
    expect(await importing({ catalog: site.url })).toMatchObject({ state: 'accepted', source: `${site.url}/cards/a.json` })
    expect(await importing({ catalog: `${site.url}/data.json` })).toMatchObject({ state: 'accepted', source: `${site.url}/data.json` })
  })

  test('of several one must be chosen, and the refusal names them', async () => {
    const [a, b] = [entry('a', { data: aCard(registry) }), entry('b', { data: aCard(registry, { name: 'B' }) })]
    await using site = await startSite(
      serving({ '/c': catalogOf(a, b), '/twice': catalogOf(a, a), '/none': catalogOf(other), '/text': 'x', '/list': [] }),
    )
    const refusal = await refusalOf(importing({ catalog: `${site.url}/c` }))
    expect([refusal.reason, refusal.faults]).toEqual([
      'bad_input',
      ['a', 'b'].map((name) => ({ pointer: '/entry', hint: `urn:air:acme.com:agents:${name} (${name})` })),
    ])
    expect(await importing({ catalog: `${site.url}/c`, entry: b.identifier })).toMatchObject({ state: 'accepted' })
    expect(await agent.query('cards.get', { agentId: agent.agentId })).toMatchObject({ text: { name: 'B' } })
    expect(await reasonOf(importing({ catalog: `${site.url}/c`, entry: 'urn:air:acme.com:agents:z' }))).toBe('bad_input')
    expect(await reasonOf(importing({ catalog: `${site.url}/twice`, entry: a.identifier }))).toBe('bad_input')
    for (const path of ['/twice', '/none', '/text', '/list'])
      expect(await reasonOf(importing({ catalog: site.url + path }))).toBe('bad_input')
  })

  test('an entry cannot lead to an address that is not allowed', async () => {
    await using site = await startSite(serving({ '/c': catalogOf(entry('a', { url: 'http://10.0.0.1/card' })) }))
    expect(await reasonOf(importing({ catalog: `${site.url}/c` }))).toBe('url_not_allowed')
  })
})

test('outside development mode nothing is fetched unless it is configured', async () => {
  await using closed = await startRegistry({ dev: false, servers: 1 })
  const actor = await closed.agent()
  expect(await reasonOf(actor.mutate('cards.import', { agentId: actor.agentId, url: 'https://agents.acme.com/' }))).toBe('url_not_allowed')
})
