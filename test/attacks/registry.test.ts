import { expect } from 'vitest'
import { signCard } from '../../src/credentials/agent-card/card-signatures.js'
import type { JsonObject } from '../../src/lib/json.js'
import { aCard } from '../registry.js'
import { aPair, aPublishedAgent, introduce, reasonOf } from '../stories/actors.js'
import { attack, attackSetup, raw } from './attack.js'

const setup = attackSetup()
const publish = (actor: { mutate: typeof setup.ocr.mutate }, agentId: string, card: JsonObject | string, more: object = {}) =>
  reasonOf(actor.mutate('cards.publish', { agentId, publicCard: typeof card === 'string' ? card : JSON.stringify(card), ...more }))
const JSON_HEADERS = { 'content-type': 'application/json' }
const post = (path: string, body: string, headers: Record<string, string> = JSON_HEADERS) =>
  raw(setup.registry, path, { method: 'POST', body, headers })
const query = (path: string, input: unknown) => raw(setup.registry, `/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`)

attack(
  'CARD-02',
  'a card that was changed after it was signed gets card_signature_invalid',
  setup,
  async () => {
    const signed = await signCard(aCard(setup.registry), setup.ocr.signer)
    const [skill] = signed.skills as JsonObject[]
    for (const change of [
      { supportedInterfaces: [{ url: 'http://127.0.0.1:6/', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] },
      { skills: [{ ...skill, description: 'other' }] },
      { defaultInputModes: ['image/png', 'a'] },
    ])
      expect(await publish(setup.ocr, setup.ocr.agentId, { ...signed, ...change })).toBe('card_signature_invalid')
  },
  { writes: false },
)
attack(
  'CARD-05',
  'a card without a signature gets card_unsigned, and an algorithm in the unprotected header gets card_signature_invalid',
  setup,
  async () => {
    for (const signatures of [undefined, []])
      expect(await publish(setup.ocr, setup.ocr.agentId, aCard(setup.registry, signatures ? { signatures } : {}))).toBe('card_unsigned')
    const [valid] = (await signCard(aCard(setup.registry), setup.ocr.signer)).signatures as JsonObject[]
    const bare = { protected: Buffer.from('{}').toString('base64url'), header: { alg: 'ES256' }, signature: valid?.signature ?? '' }
    expect(await publish(setup.ocr, setup.ocr.agentId, aCard(setup.registry, { signatures: [bare] }))).toBe('card_signature_invalid')
  },
  { writes: false },
)
attack('CARD-07', 'an older signed card cannot be published again by others; its publisher may return to it', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  const [first, second] = [
    await signCard(aCard(setup.registry, { version: '1' }), publisher.signer),
    await signCard(aCard(setup.registry, { version: '2' }), publisher.signer),
  ]
  for (const card of [first, second]) expect(await publish(publisher, publisher.agentId, card)).toBe('done')
  for (const stranger of [setup.outsider, setup.globex]) expect(await publish(stranger, publisher.agentId, first)).toBe('not_found')
  expect(await publish(publisher, publisher.agentId, first)).toBe('done')
  const { view } = await publisher.card(publisher.agentId)
  expect([view.version, view.publicCard]).toEqual([3, JSON.stringify(first)])
})
attack('CARD-08', 'a card with other content gets the next version, even under the same version text', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  const first = await publisher.publish({ card: aCard(setup.registry, { version: '1' }) })
  const second = await publisher.publish({ card: aCard(setup.registry, { version: '1', description: 'other' }) })
  expect([first.version, second.version]).toEqual([1, 2])
})
attack('CARD-09', 'a card signed by a key that was just revoked gets key_revoked', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  const card = await signCard(aCard(setup.registry), publisher.signer)
  const { items } = await setup.acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: publisher.agentId })
  await setup.acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect(await publish(setup.acme, publisher.agentId, card)).toBe('key_revoked')
})
attack('SDJ-20', 'a non-public part is in no response that an unentitled caller can read', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  const [plain] = aCard(setup.registry).skills as JsonObject[]
  const skills = [plain ?? {}, { id: 'canary-skill', name: 'Canary', description: 'canary', tags: ['canary'] }]
  await publisher.publish({ card: aCard(setup.registry, { skills }), hide: ['/skills/1'] })
  const seen = [
    await (await setup.registry.fetch(`/agents/${publisher.agentId}/card`)).text(),
    await (await setup.registry.fetch(`/agents/${publisher.agentId}/.well-known/agent-card.json`)).text(),
    JSON.stringify(await setup.outsider.cardView(publisher.agentId)),
    JSON.stringify(await setup.outsider.search({ text: 'canary' })),
    JSON.stringify(await setup.acme.query('audit.list', { limit: 100 })),
    await (await setup.registry.fetch('/log/entries?from=0&limit=1000')).text(),
  ]
  for (const text of seen) expect(text.toLowerCase()).not.toContain('canary')
  expect(JSON.parse(seen[0] ?? '').sdJwt).toBeUndefined()
})

attack(
  'REG-08',
  'a guessed id, an unpublished card, a suspended agent and one that never had a card get identical responses',
  setup,
  async () => {
    const [unpublished, suspended] = await Promise.all([1, 2].map(() => aPublishedAgent(setup.registry, { registeredBy: setup.acme })))
    await setup.acme.mutate('cards.unpublish', { agentId: unpublished?.agentId })
    await setup.acme.mutate('agents.suspend', { agentId: suspended?.agentId })
    const revoked = await setup.registry.agent({ registeredBy: setup.acme })
    for (const agentId of [unpublished?.agentId, revoked.agentId]) await setup.acme.mutate('agents.revoke', { agentId })
    const cardless = await setup.registry.agent({ registeredBy: setup.acme })
    for (const path of ['card', '.well-known/agent-card.json']) {
      const responses = await Promise.all(
        ['agt_AAAAAAAAAAAAAAAAAAAAAA', unpublished?.agentId, suspended?.agentId, revoked.agentId, cardless.agentId, 'x'].map(async (id) => {
          const response = await setup.registry.fetch(`/agents/${id}/${path}`)
          const body = (await response.text()).replace(/req_[\w-]+/, '')
          const headers = [...response.headers].filter(([name]) => name !== 'date')
          return JSON.stringify([response.status, body, headers])
        }),
      )
      expect(new Set(responses).size).toBe(1)
    }
  },
)
attack('REG-09', 'an invalid limit or cursor is refused, and so is a cursor of another caller', setup, async () => {
  for (const input of [{ limit: 1e9 }, { limit: 0 }, { offset: 1e12 }, { limit: '5' }])
    expect(await reasonOf(setup.planner.query('tasks.list', input))).toBe('bad_input')
  for (const cursor of ['x', 'e30', Buffer.from('["a"]').toString('base64url'), Buffer.from('[{},"x"]').toString('base64url')])
    expect(await reasonOf(setup.planner.query('tasks.list', { cursor }))).toBe('bad_cursor')
  for (let i = 0; i < 3; i++) await setup.planner.tasks.create({ description: `${i}` })
  const { cursor } = await setup.planner.query<{ cursor: string }>('tasks.list', { limit: 1 })
  expect(await reasonOf(setup.outsider.query('tasks.list', { cursor }))).toBe('bad_cursor')
})
attack(
  'REG-10',
  'operators and wildcards in a search are taken literally, and oversized input gets bad_input',
  setup,
  async () => {
    for (const text of ['x'.repeat(10_000), { $regex: '.*' }]) expect(await query('discovery.search', { text })).toEqual([400, 'bad_input'])
    expect(await query('discovery.search', { tags: Array(100).fill('x') })).toEqual([400, 'bad_input'])
    for (const text of ['*', '%', '(a+)+$', 'a" OR "b', 'NEAR(a)']) expect((await query('discovery.search', { text }))[0]).toBe(200)
  },
  { writes: false },
)
attack('REG-11', 'one of two concurrent publishers of the same version may be refused, but no version is lost', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  await publisher.publish({ card: aCard(setup.registry) })
  const cards = await Promise.all(['2', '3'].map((version) => signCard(aCard(setup.registry, { version }), publisher.signer)))
  const reasons = await Promise.all(cards.map((card) => publish(publisher, publisher.agentId, card)))
  // Two publications that overlap conflict; two that do not get consecutive versions.
  const done = reasons.filter((reason) => reason === 'done').length
  expect(reasons.every((reason) => reason === 'done' || reason === 'card_version_stale')).toBe(true)
  expect((await publisher.query<{ version: number }>('cards.get', { agentId: publisher.agentId })).version).toBe(1 + done)
})
attack(
  'REG-12',
  'publishing for another agent gets not_found, and setting fields of the registry gets bad_input',
  setup,
  async () => {
    const card = await signCard(aCard(setup.registry), setup.ocr.signer)
    for (const actor of [setup.planner, setup.outsider, setup.globex])
      expect(await publish(actor, setup.ocr.agentId, card)).toBe('not_found')
    for (const more of [{ verified: true }, { orgId: setup.globex.orgId }, { trustScore: 1 }])
      expect(await publish(setup.ocr, setup.ocr.agentId, card, more)).toBe('bad_input')
  },
  { writes: false },
)
attack('REG-14', 'the card of a revoked agent is gone from every read path', setup, async () => {
  const { registry } = setup
  const agent = await aPublishedAgent(registry, { registeredBy: setup.acme })
  await agent.publish({ card: aCard(registry, { name: 'Quagga', skills: [] }) })
  const id = agent.agentId
  const cardUrl = `/agents/${id}/.well-known/agent-card.json`
  const { headers } = await registry.fetch(cardUrl)
  const etag = headers.get('etag') ?? ''
  expect((await setup.outsider.search({ text: 'quagga' })).total).toBe(1)
  await setup.acme.mutate('agents.revoke', { agentId: id })
  for (const [path, init] of [
    [cardUrl, {}],
    [cardUrl, { headers: { 'if-none-match': etag } }],
    [cardUrl, { method: 'HEAD' }],
    [cardUrl, { headers: { 'a2a-version': '0.3' } }],
    [`/agents/${id}/card`, {}],
    [`/agents/${id}/jwks.json`, {}],
  ] as const) {
    const response = await registry.fetch(path, init)
    expect([path, response.status, response.headers.get('cache-control'), response.headers.get('etag')]).toEqual([
      path,
      410,
      'no-store',
      null,
    ])
    expect(await response.text()).not.toContain('Quagga')
  }
  for (const [path, input] of [
    ['cards.get', { agentId: id }],
    ['cards.history', { agentId: id }],
    ['cards.diff', { agentId: id, from: 1 }],
  ] as const) {
    expect(await query(path, input)).toEqual([410, 'gone'])
    for (const actor of [setup.outsider, setup.acme, registry.operator]) expect(await reasonOf(actor.query(path, input))).toBe('gone')
  }
  expect((await setup.outsider.search({ text: 'quagga' })).hits).toEqual([])
  expect((await setup.outsider.search({})).hits.map(({ agentId }) => agentId)).not.toContain(id)
  // Maintenance runs once a minute
  registry.clock.advance(61)
  await expect.poll(async () => (await setup.outsider.search({ text: 'quagga' })).total).toBe(0)
})
attack(
  'REG-15',
  'an administrator cannot call the operator’s procedures',
  setup,
  async () => {
    for (const [path, input, reason] of [
      ['organisations.create', { name: 'x' }, 'forbidden'],
      ['organisations.revoke', { orgId: setup.acme.orgId }, 'forbidden'],
      ['members.invite', { orgId: setup.registry.operator.orgId, role: 'operator' }, 'not_found'],
    ] as const)
      expect(await reasonOf(setup.acme.mutate(path, input)), path).toBe(reason)
  },
  { writes: false },
)

attack(
  'TEN-01',
  'naming another organisation in the input is refused',
  setup,
  async () => {
    expect(await reasonOf(setup.acme.mutate('agents.register', { name: 'x', orgId: setup.globex.orgId }))).toBe('not_found')
    expect(await reasonOf(setup.acme.query('audit.list', { orgId: setup.globex.orgId }))).toBe('not_found')
    expect(await reasonOf(setup.acme.mutate('tasks.create', { description: 'x', orgId: setup.globex.orgId }))).toBe('bad_input')
  },
  { writes: false },
)
attack('TEN-02', 'records of another organisation can be neither read nor ended by their id', setup, async () => {
  const { taskId } = await setup.planner.tasks.create({ description: 'secret' })
  const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience, taskId })
  const { jti } = await setup.planner.introspect(accessToken)
  const reads: [string, object][] = [
    ['tasks.get', { taskId }],
    ['tokens.lineage', { taskId }],
    ['tokens.lineage', { tokenId: jti }],
    ['introductions.get', { introductionId: setup.introductionId }],
    ['agents.get', { agentId: setup.planner.agentId }],
    ['keys.list', { owner: setup.planner.agentId }],
    ['cards.next', { agentId: setup.planner.agentId }],
  ]
  const outsideAdmin = await setup.registry.organisation('Other outsiders')
  // With every scope, so that only the foreign record is a reason for the refusal
  const scopes = [...(await setup.outsider.token()).scope.split(' '), 'agents:write']
  const outsideAgent = await setup.registry.agent({ registeredBy: outsideAdmin, ceiling: { scopes } })
  for (const actor of [outsideAgent, outsideAdmin])
    for (const [path, input] of reads) expect(await reasonOf(actor.query(path, input)), path).toBe('not_found')
  for (const [path, input] of [
    ['tasks.end', { taskId }],
    ['tokens.revoke', { tokenId: jti }],
    ['introductions.revoke', { introductionId: setup.introductionId }],
    ['agents.suspend', { agentId: setup.planner.agentId }],
  ] as const)
    expect(await reasonOf(outsideAdmin.mutate(path, input)), path).toBe('not_found')
})

attack('TEX-19', 'a new version that takes nothing away keeps introductions valid', setup, async () => {
  const own = await aPair(setup.registry)
  await own.ocr.publish({ card: aCard(setup.registry, { description: 'Only the description has changed.' }) })
  expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('done')
  await introduce(own.planner, own.ocr)
})

attack(
  'MDB-01',
  'MongoDB operators and lists in place of texts get bad_input',
  setup,
  async () => {
    for (const value of [{ $ne: null }, { $gt: '' }, { $regex: '.*' }, ['a'], 5, null, true]) {
      expect(await query('cards.get', { agentId: value })).toEqual([400, 'bad_input'])
      expect(await post('/trpc/members.join', JSON.stringify({ code: value, name: 'x', jwk: {}, proof: 'x' }))).toEqual([400, 'bad_input'])
      expect(await reasonOf(setup.planner.query('tasks.get', { taskId: value }))).toBe('bad_input')
    }
  },
  { writes: false },
)
attack('MDB-02', 'odd member names inside a card are served unchanged, and __proto__ gets card_invalid', setup, async () => {
  const publisher = await setup.registry.agent({ registeredBy: setup.acme })
  const odd = aCard(setup.registry, { $where: 'x', 'a.b': 1, _id: 'x', 'nul\u0000': 1 })
  expect(await publish(publisher, publisher.agentId, await signCard(odd, publisher.signer))).toBe('done')
  const served = await (await setup.registry.fetch(`/agents/${publisher.agentId}/.well-known/agent-card.json`)).json()
  expect(served).toMatchObject({ $where: 'x', 'a.b': 1, _id: 'x' })
  expect(await publish(publisher, publisher.agentId, '{"__proto__":{"polluted":1}}')).toBe('card_invalid')
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})
attack(
  'MDB-03',
  'a search text that is an exponential regular expression gets a normal response',
  setup,
  async () => expect((await query('discovery.search', { text: '(a+)+$ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' }))[0]).toBe(200),
  { writes: false },
)
