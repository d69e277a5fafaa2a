import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../src/lib/json.js'
import { readCardJson } from '../../../../src/protocol/cards/card-model.js'
import { addressFaults, endpointOf, unusableInterfaces } from '../../../../src/registry/cards/publishing/public-urls.js'
import { type AgentActor, aCard, startRegistry } from '../../../registry.js'

const anInterface = (url: string, protocolBinding = 'JSONRPC'): JsonObject => ({ url, protocolBinding, protocolVersion: '1.0' })
const PUBLIC_SCHEMES = {
  oauth: {
    oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: 'https://id.acme.com/token', scopes: { anUrl: 'http://x' } } } },
  },
}
const aPublicCard = (interfaces: readonly JsonObject[], more: JsonObject = {}): JsonObject =>
  aCard(
    { issuer: 'https://registry.acme.com' },
    { supportedInterfaces: interfaces, securitySchemes: PUBLIC_SCHEMES, securityRequirements: [], ...more },
  )
const modelOf = (card: JsonObject) => {
  const { model, faults } = readCardJson(card)
  if (!model) throw new Error(JSON.stringify(faults))
  return model
}
const faultsOf = (...urls: [url: string, binding?: string | undefined][]) =>
  addressFaults(modelOf(aPublicCard(urls.map(([url, binding]) => anInterface(url, binding)))), { dev: false }).map(({ pointer }) => pointer)

describe('addresses that are not public', () => {
  test.each<[string, string?]>([
    ['http://127.0.0.1/'],
    ['https://localhost/'],
    ['https://10.0.0.5/'],
    ['https://169.254.169.254/'],
    ['https://0x7f.1/'],
    ['https://[::ffff:10.0.0.1]/'],
    ['http://agents.acme.com/'],
    ['https://user:pw@agents.acme.com/'],
    ['https://user@agents.acme.com/'],
    ['https://agent.example/'],
    ['https://p\u0430ypal.com/'],
    ['https://xn--pypal-4ve.com/'],
    ['127.0.0.1:443', 'GRPC'],
    ['[::1]:443', 'GRPC'],
    ['localhost:443', 'GRPC'],
    ['http://agents.acme.com', 'GRPC'],
    ['nats://10.0.0.1:4222', 'NATS'],
    ['nats://user:pw@agents.acme.com', 'NATS'],
  ])('%s %s is reported by its pointer', (url, binding) => {
    expect(faultsOf(['https://agents.acme.com/a2a'], [url, binding])).toEqual(['/supportedInterfaces/1/url'])
  })

  test.each<[string, string?]>([
    ['https://agents.acme.com/a2a'],
    ['https://8.8.8.8/'],
    ['https://bücher.de/'],
    ['agents.acme.com:443', 'GRPC'],
    ['[2606:4700:4700::1111]:443', 'GRPC'],
    ['https://agents.acme.com', 'GRPC'],
    ['nats://agents.acme.com:4222', 'NATS'],
    ['urn:agent:x', 'OTHER'],
  ])('%s %s is accepted', (url, binding) => {
    expect(faultsOf([url, binding])).toEqual([])
  })

  test('the URLs of security schemes are checked too', () => {
    const schemes = {
      o: {
        oauth2SecurityScheme: {
          flows: { clientCredentials: { tokenUrl: 'https://10.0.0.1/token' } },
          oauth2MetadataUrl: 'https://localhost/',
        },
      },
      c: { openIdConnectSecurityScheme: { openIdConnectUrl: 'http://id.acme.com' } },
    }
    const model = modelOf(aPublicCard([anInterface('https://agents.acme.com')], { securitySchemes: schemes }))
    expect(addressFaults(model, { dev: false }).map(({ pointer }) => pointer)).toEqual([
      '/securitySchemes/o/oauth2SecurityScheme/flows/clientCredentials/tokenUrl',
      '/securitySchemes/o/oauth2SecurityScheme/oauth2MetadataUrl',
      '/securitySchemes/c/openIdConnectSecurityScheme/openIdConnectUrl',
    ])
    expect(addressFaults(model, { dev: true })).toEqual([])
  })
})

describe('bindings', () => {
  test('an interface whose address does not fit its binding is kept and reported', () => {
    const model = modelOf(
      aPublicCard([
        anInterface('agents.acme.com:443'),
        anInterface('agents.acme.com', 'GRPC'),
        anInterface('grpc://agents.acme.com:443', 'GRPC'),
        anInterface('not a URI', 'OTHER'),
        anInterface('agents.acme.com:443', 'GRPC'),
      ]),
    )
    expect(model.supportedInterfaces).toHaveLength(5)
    expect(unusableInterfaces(model).map(({ pointer }) => pointer)).toEqual([0, 1, 2, 3].map((i) => `/supportedInterfaces/${i}/url`))
  })

  test('the endpoint is the first interface that the client can call', () => {
    const interfaces = [
      anInterface('agents.acme.com:443', 'GRPC'),
      anInterface('ftp://agents.acme.com/'),
      anInterface('https://10.0.0.1/'),
      anInterface('https://agents.acme.com/rest', 'HTTP+JSON'),
      anInterface('https://agents.acme.com/rpc'),
    ]
    expect(endpointOf(modelOf(aPublicCard(interfaces)), { dev: false })).toBe('https://agents.acme.com/rest')
    expect(endpointOf(modelOf(aPublicCard(interfaces)), { dev: true })).toBe('https://10.0.0.1/')
    expect(endpointOf(modelOf(aPublicCard(interfaces.slice(0, 2))), { dev: true })).toBeUndefined()
  })
})

describe('outside development mode', () => {
  const importOf = (agent: AgentActor, card: JsonObject) =>
    agent.mutate<{ faults: object[]; verdict: { hints: string[] } }>('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })

  test('a card with an address that is not public is not published, and an imported one is marked and not called', async () => {
    await using registry = await startRegistry({ servers: 1, dev: false })
    const agent = await registry.agent()
    const bad = aPublicCard([anInterface('https://169.254.169.254/'), anInterface('https://agents.acme.com/a2a')])
    await expect(agent.publish({ card: bad })).rejects.toMatchObject({
      reason: 'card_invalid',
      faults: [{ pointer: '/supportedInterfaces/0/url' }],
    })
    const hidden = {
      card: aPublicCard([anInterface('https://agents.acme.com/a2a'), anInterface('https://10.0.0.1/')]),
      hide: ['/supportedInterfaces/1'],
    }
    await expect(agent.publish(hidden)).rejects.toMatchObject({ reason: 'card_invalid' })
    const imported = await importOf(agent, bad)
    expect(imported.faults).toMatchObject([{ pointer: '/supportedInterfaces/0/url' }])
    expect(imported.verdict.hints).toHaveLength(1)
    expect((await agent.cardView(agent.agentId)).facts.endpoint).toBe('https://agents.acme.com/a2a')
  })

  test('a card with a gRPC interface is published, and search returns the interface that the client can call', async () => {
    await using registry = await startRegistry({ servers: 1, dev: false })
    const agent = await registry.agent()
    const card = aPublicCard([
      anInterface('agents.acme.com:443', 'GRPC'),
      anInterface('agents.acme.com', 'GRPC'),
      anInterface('https://agents.acme.com/a2a'),
    ])
    const { verdict } = await agent.publish({ card })
    expect(verdict.hints).toEqual([expect.stringContaining('/supportedInterfaces/1/url')])
    expect((await agent.search()).hits).toMatchObject([{ endpoint: 'https://agents.acme.com/a2a' }])
  })
})
