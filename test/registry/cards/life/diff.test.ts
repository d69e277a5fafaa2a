import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CardDiff } from '../../../../src/client/index.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let stranger: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  stranger = await registry.agent({ registeredBy: await registry.organisation('Globex') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const GROUPS = ['endpoint', 'security', 'scopes', 'skills', 'other', 'prose'] as const
/** The pointers that differ, by group, without the empty groups. */
const pointersOf = (diff: CardDiff) =>
  Object.fromEntries(
    GROUPS.flatMap((group) => (diff[group].length === 0 ? [] : [[group, diff[group].map(({ pointer }) => pointer)] as const])),
  )
const oauth = (scopes: JsonObject, changes: JsonObject = {}): JsonObject => ({
  credence: {
    oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes } }, ...changes },
  },
})
const SCOPES = { 'ocr:read': 'read a page', 'ocr:admin': 'change settings' }
const SKILL = { id: 'read-page', name: 'Read a page', description: 'Text of one scanned page.', tags: ['ocr', 'scan'] }
const INTERFACE = { url: 'http://127.0.0.1:9/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }

/** What changes when a card with `before` is followed by one with `after`. */
async function diffOf(before: JsonObject, after: JsonObject): Promise<CardDiff> {
  const agent = await registry.agent({ registeredBy: acme })
  for (const changes of [before, after]) await agent.publish({ card: aCard(registry, { securitySchemes: oauth(SCOPES), ...changes }) })
  return stranger.cardDiff(agent.agentId, 1)
}

describe('cards.diff', () => {
  test.each<[string, JsonObject, JsonObject, Record<string, string[]>, string[]]>([
    ['a new description is prose', {}, { description: 'Reads scans.' }, { prose: ['/description'] }, []],
    [
      'a moved endpoint takes the old one away',
      {},
      { supportedInterfaces: [{ ...INTERFACE, url: 'http://127.0.0.1:8/a2a' }] },
      {
        endpoint: ['url', 'protocolBinding', 'protocolVersion']
          .sort()
          .flatMap((member) => `/supportedInterfaces/JSONRPC http:~1~1127.0.0.1:8~1a2a/${member}`)
          .concat(
            ['protocolBinding', 'protocolVersion', 'url'].map(
              (member) => `/supportedInterfaces/JSONRPC http:~1~1127.0.0.1:9~1a2a/${member}`,
            ),
          ),
      },
      ['/interface'],
    ],
    [
      'a further skill takes nothing away',
      {},
      { skills: [{ ...SKILL, id: 'sum-up' }, SKILL] },
      {
        skills: ['/skills/sum-up/id', '/skills/sum-up/inputModes', '/skills/sum-up/outputModes', '/skills/sum-up/securityRequirements'],
        prose: ['/skills/sum-up/description', '/skills/sum-up/examples', '/skills/sum-up/name', '/skills/sum-up/tags'],
      },
      [],
    ],
    [
      'another order is no change',
      { skills: [SKILL, { ...SKILL, id: 'b' }] },
      { skills: [{ ...SKILL, id: 'b' }, SKILL], version: '2' },
      { prose: ['/version'] },
      [],
    ],
    [
      'a skill whose prose changes takes nothing away',
      {},
      { skills: [{ ...SKILL, description: 'Any page.', tags: ['ocr'], examples: ['read this'] }] },
      { prose: ['/skills/read-page/description', '/skills/read-page/examples', '/skills/read-page/tags'] },
      [],
    ],
  ])('%s', async (_, before, after, pointers, takesAway) => {
    const diff = await diffOf(before, after)
    expect(pointersOf(diff)).toEqual(pointers)
    expect(diff.takesAway.map(({ pointer }) => pointer)).toEqual(takesAway)
  })

  test('scopes, security schemes and requirements are compared apart from their texts', async () => {
    const diff = await diffOf(
      { skills: [{ ...SKILL, securityRequirements: [{ schemes: { credence: { list: ['ocr:admin'] } } }] }] },
      {
        securitySchemes: oauth({ 'ocr:read': 'read one page', 'ocr:write': 'write' }, { oauth2MetadataUrl: 'https://a.example/meta' }),
        securityRequirements: [],
        skills: [SKILL],
      },
    )
    expect(diff.scopes).toEqual([
      { pointer: '/scopes/ocr:admin', from: 'ocr:admin' },
      { pointer: '/scopes/ocr:write', to: 'ocr:write' },
    ])
    expect(pointersOf(diff)).toMatchObject({
      security: ['/securityRequirements', '/securitySchemes/credence/oauth2SecurityScheme/oauth2MetadataUrl'],
      skills: ['/skills/read-page/securityRequirements'],
      prose: ['ocr:admin', 'ocr:read', 'ocr:write'].map(
        (scope) => `/securitySchemes/credence/oauth2SecurityScheme/flows/clientCredentials/scopes/${scope}`,
      ),
    })
    expect(diff.takesAway.map(({ hint }) => hint)).toEqual([
      'the security requirements of the card have changed',
      'the card no longer offers the scope ocr:admin',
      'the security requirements of the skill read-page are weaker',
    ])
  })

  test('takesAway is empty exactly when introductions stay valid, and capabilities, extensions and modes are in `other`', async () => {
    const diff = await diffOf(
      { capabilities: { extensions: [{ uri: 'urn:a', description: 'x', params: { description: 'x' } }] } },
      {
        capabilities: { streaming: true, extensions: [{ uri: 'urn:a', description: 'y', params: { description: 'y' } }] },
        defaultInputModes: ['image/png', 'image/gif'],
        iconUrl: 'https://a.example/icon.png',
      },
    )
    expect(pointersOf(diff)).toEqual({
      other: ['/capabilities/extensions/urn:a/params/description', '/capabilities/streaming', '/defaultInputModes'],
      prose: ['/capabilities/extensions/urn:a/description', '/iconUrl'],
    })
    expect(diff.takesAway).toEqual([])
  })

  test('any two kept versions can be compared, in both directions; other versions are not found', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    for (const skills of [[SKILL], [SKILL, { ...SKILL, id: 'b' }], [{ ...SKILL, id: 'b' }]])
      await agent.publish({ card: aCard(registry, { skills }) })
    expect((await stranger.cardDiff(agent.agentId, 1, 2)).takesAway).toEqual([])
    expect((await stranger.cardDiff(agent.agentId, 2, 1)).takesAway).toMatchObject([{ hint: 'the card no longer has the skill b' }])
    expect(await stranger.cardDiff(agent.agentId, 1)).toMatchObject({ from: 1, to: 3, takesAway: [{ pointer: '/skills/0' }] })
    expect(pointersOf(await stranger.cardDiff(agent.agentId, 3))).toEqual({})
    expect(await reasonOf(stranger.cardDiff(agent.agentId, 1, 4))).toBe('not_found')
    expect(await reasonOf(stranger.cardDiff(agent.agentId, 0))).toBe('bad_input')
  })

  test('ids and names that objects inherit are compared like any other', async () => {
    const odd = (skill: string, scheme: string): JsonObject => ({
      skills: ['__proto__', 'constructor'].map((id) => ({ ...SKILL, id, inputModes: [skill] })),
      securitySchemes: { ...oauth(SCOPES), toString: { httpAuthSecurityScheme: { scheme } } },
    })
    expect(pointersOf(await diffOf(odd('text/plain', 'bearer'), odd('text/html', 'basic')))).toEqual({
      security: ['/securitySchemes/toString/httpAuthSecurityScheme/scheme'],
      skills: ['/skills/__proto__/inputModes', '/skills/constructor/inputModes'],
    })
  })

  test('non-public parts are in no comparison', async () => {
    const [one, two] = await Promise.all(
      ['canary-a', 'canary-b'].map(async (id) => {
        const agent = await registry.agent({ registeredBy: acme })
        for (const version of ['1', '2'])
          await agent.publish({
            card: aCard(registry, { version, skills: [SKILL, { ...SKILL, id: `${id}${version}` }] }),
            hide: ['/skills/1'],
          })
        return { ...(await agent.cardDiff(agent.agentId, 1)), agentId: '' }
      }),
    )
    expect(one).toEqual(two)
    expect(JSON.stringify(one)).not.toContain('canary')
  })

  test('is refused past a rate, to each client and to anonymous callers for themselves', async () => {
    await using limited = await startRegistry({ limits: 'on', servers: 1 })
    const agent = await limited.agent({ registeredBy: await limited.organisation('Acme') })
    await agent.publish({ card: aCard(limited) })
    const input = { agentId: agent.agentId, from: 1 }
    const anonymous = async () => (await limited.fetch(`/trpc/cards.diff?input=${encodeURIComponent(JSON.stringify(input))}`)).status
    const statuses = await Promise.all(Array.from({ length: 12 }, anonymous))
    expect([...new Set(statuses)].sort()).toEqual([200, 429])
    const reasons = await Promise.all(Array.from({ length: 12 }, () => reasonOf(agent.query('cards.diff', input))))
    expect([...new Set(reasons)].sort()).toEqual(['done', 'rate_limited'])
  })
})
