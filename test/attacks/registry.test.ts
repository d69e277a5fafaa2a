import { expect } from 'vitest'
import { signCard } from '../../src/credentials/agent-card/card-signatures.js'
import type { JsonObject } from '../../src/lib/json.js'
import { aCard } from '../registry.js'
import { aCallee, aPair, introduce, reasonOf } from '../stories/actors.js'
import { attack, dependencies, raw } from './attack.js'

const on = dependencies()
const publish = (by: { mutate: typeof on.ocr.mutate }, agentId: string, card: JsonObject | string, more: object = {}) =>
  reasonOf(by.mutate('cards.publish', { agentId, c0: typeof card === 'string' ? card : JSON.stringify(card), ...more }))
const json = { 'content-type': 'application/json' }
const post = (path: string, body: string, headers: Record<string, string> = json) =>
  raw(on.registry, path, { method: 'POST', body, headers })
const ask = (path: string, input: unknown) => raw(on.registry, `/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`)

attack(
  'CARD-02',
  'a card that was changed after it was signed',
  on,
  async () => {
    const signed = await signCard(aCard(on.registry), on.ocr.signer)
    const [skill] = signed.skills as JsonObject[]
    for (const change of [
      { supportedInterfaces: [{ url: 'http://127.0.0.1:6/', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] },
      { skills: [{ ...skill, description: 'other' }] },
      { defaultInputModes: ['image/png', 'a'] },
    ])
      expect(await publish(on.ocr, on.ocr.agentId, { ...signed, ...change })).toBe('card_signature_invalid')
  },
  { writes: false },
)
attack(
  'CARD-05',
  'no signature, none in the list, only an unprotected header',
  on,
  async () => {
    for (const signatures of [undefined, []])
      expect(await publish(on.ocr, on.ocr.agentId, aCard(on.registry, signatures ? { signatures } : {}))).toBe('card_unsigned')
    const [one] = (await signCard(aCard(on.registry), on.ocr.signer)).signatures as JsonObject[]
    const bare = { protected: Buffer.from('{}').toString('base64url'), header: { alg: 'ES256' }, signature: one?.signature ?? '' }
    expect(await publish(on.ocr, on.ocr.agentId, aCard(on.registry, { signatures: [bare] }))).toBe('card_signature_invalid')
  },
  { writes: false },
)
attack('CARD-07', 'an older signed card, to roll back', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  const [first, second] = [
    await signCard(aCard(on.registry, { version: '1' }), callee.signer),
    await signCard(aCard(on.registry, { version: '2' }), callee.signer),
  ]
  for (const card of [first, second]) expect(await publish(callee, callee.agentId, card)).toBe('done')
  expect(await publish(callee, callee.agentId, first)).toBe('card_version_stale')
})
attack('CARD-08', 'a published version with other content: the next number is another version', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  const one = await callee.publish({ card: aCard(on.registry, { version: '1' }) })
  const other = await callee.publish({ card: aCard(on.registry, { version: '1', description: 'other' }) })
  expect([one.version, other.version]).toEqual([1, 2])
})
attack('CARD-09', 'a card signed by a key that was ended a second ago', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  const card = await signCard(aCard(on.registry), callee.signer)
  const { items } = await on.acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: callee.agentId })
  await on.acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect(await publish(on.acme, callee.agentId, card)).toBe('key_ended')
})
attack('SDJ-20', 'a claim that the viewer is not entitled to', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  const [plain] = aCard(on.registry).skills as JsonObject[]
  const skills = [plain ?? {}, { id: 'canary-skill', name: 'Canary', description: 'canary', tags: ['canary'] }]
  await callee.publish({ card: aCard(on.registry, { skills }), hide: ['/skills/1'] })
  const seen = [
    await (await on.registry.fetch(`/agents/${callee.agentId}/card`)).text(),
    await (await on.registry.fetch(`/agents/${callee.agentId}/.well-known/agent-card.json`)).text(),
    JSON.stringify(await on.stranger.cardView(callee.agentId)),
    JSON.stringify(await on.stranger.search({ text: 'canary' })),
    JSON.stringify(await on.acme.query('audit.list', { limit: 100 })),
    await (await on.registry.fetch('/log/entries?from=0&limit=1000')).text(),
  ]
  for (const text of seen) expect(text.toLowerCase()).not.toContain('canary')
  expect(JSON.parse(seen[0] ?? '').sdJwt).toBeUndefined()
})

attack('REG-08', 'an agent id that is guessed, revoked or not published: one answer, to the byte', on, async () => {
  const gone = await aCallee(on.registry, { of: on.acme })
  await on.acme.mutate('agents.revoke', { agentId: gone.agentId })
  const cardless = await on.registry.agent({ of: on.acme })
  const answers = await Promise.all(
    ['agt_AAAAAAAAAAAAAAAAAAAAAA', gone.agentId, cardless.agentId, 'x'].flatMap((id) =>
      ['card', '.well-known/agent-card.json'].map(async (door) => {
        const answer = await on.registry.fetch(`/agents/${id}/${door}`)
        const body = (await answer.text()).replace(/req_[\w-]+/, '')
        const headers = [...answer.headers].filter(([name]) => !['date'].includes(name))
        return JSON.stringify([answer.status, body, headers])
      }),
    ),
  )
  expect(new Set(answers).size).toBe(1)
})
attack('REG-09', 'a limit of a billion, an offset, cursors that were made up or are somebody else’s', on, async () => {
  for (const input of [{ limit: 1e9 }, { limit: 0 }, { offset: 1e12 }, { limit: '5' }])
    expect(await reasonOf(on.planner.query('tasks.list', input))).toBe('bad_input')
  for (const cursor of ['x', 'e30', Buffer.from('["a"]').toString('base64url'), Buffer.from('[{},"x"]').toString('base64url')])
    expect(await reasonOf(on.planner.query('tasks.list', { cursor }))).toBe('bad_cursor')
  for (let i = 0; i < 3; i++) await on.planner.tasks.create({ description: `${i}` })
  const { cursor } = await on.planner.query<{ cursor: string }>('tasks.list', { limit: 1 })
  expect((await on.stranger.query<{ items: unknown[] }>('tasks.list', { cursor })).items).toEqual([])
})
attack(
  'REG-10',
  'operators, wildcards and size in a search',
  on,
  async () => {
    for (const text of ['x'.repeat(10_000), { $regex: '.*' }]) expect(await ask('discovery.search', { text })).toEqual([400, 'bad_input'])
    expect(await ask('discovery.search', { tags: Array(100).fill('x') })).toEqual([400, 'bad_input'])
    for (const text of ['*', '%', '(a+)+$', 'a" OR "b', 'NEAR(a)']) expect((await ask('discovery.search', { text }))[0]).toBe(200)
  },
  { writes: false },
)
attack('REG-11', 'two writers of one revision', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  await callee.publish({ card: aCard(on.registry) })
  const cards = await Promise.all(['2', '3'].map((version) => signCard(aCard(on.registry, { version }), callee.signer)))
  const answers = await Promise.all(cards.map((card) => publish(callee, callee.agentId, card)))
  // Who loses the race is told so; who came after the other's end has the version after it.
  const done = answers.filter((answer) => answer === 'done').length
  expect(answers.every((answer) => answer === 'done' || answer === 'card_version_stale')).toBe(true)
  expect((await callee.query<{ version: number }>('cards.get', { agentId: callee.agentId })).version).toBe(1 + done)
})
attack(
  'REG-12',
  'a card of somebody else, and fields that are not the publisher’s to set',
  on,
  async () => {
    const card = await signCard(aCard(on.registry), on.ocr.signer)
    for (const by of [on.planner, on.stranger, on.globex]) expect(await publish(by, on.ocr.agentId, card)).toBe('not_found')
    for (const more of [{ verified: true }, { orgId: on.globex.orgId }, { trustScore: 1 }])
      expect(await publish(on.ocr, on.ocr.agentId, card, more)).toBe('bad_input')
  },
  { writes: false },
)
attack(
  'REG-15',
  'an administrator at the operator’s procedures',
  on,
  async () => {
    for (const [path, input] of [
      ['organisations.create', { name: 'x' }],
      ['organisations.revoke', { orgId: on.acme.orgId }],
      ['members.invite', { orgId: on.registry.operator.orgId, role: 'operator' }],
    ] as const)
      expect(['forbidden', 'not_found']).toContain(await reasonOf(on.acme.mutate(path, input)))
  },
  { writes: false },
)

attack(
  'TEN-01',
  'another organisation named in the input or a header',
  on,
  async () => {
    expect(await reasonOf(on.acme.mutate('agents.register', { name: 'x', orgId: on.globex.orgId }))).toBe('not_found')
    expect(await reasonOf(on.acme.query('audit.list', { orgId: on.globex.orgId }))).toBe('not_found')
    expect(await reasonOf(on.acme.mutate('tasks.create', { description: 'x', orgId: on.globex.orgId }))).toBe('bad_input')
  },
  { writes: false },
)
attack('TEN-02', 'what belongs to another organisation, read by its id', on, async () => {
  const { taskId } = await on.planner.tasks.create({ description: 'secret' })
  const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience, taskId })
  const { jti } = await on.planner.introspect(accessToken)
  const reads: [string, object][] = [
    ['tasks.get', { taskId }],
    ['tokens.lineage', { taskId }],
    ['tokens.lineage', { tokenId: jti }],
    ['introductions.get', { introductionId: on.introductionId }],
    ['agents.get', { agentId: on.planner.agentId }],
    ['keys.list', { owner: on.planner.agentId }],
    ['cards.next', { agentId: on.planner.agentId }],
  ]
  const outsider = await on.registry.organisation('Outsider')
  for (const by of [on.stranger, outsider])
    for (const [path, input] of reads) expect(['not_found', 'insufficient_scope'], path).toContain(await reasonOf(by.query(path, input)))
  for (const [path, input] of [
    ['tasks.end', { taskId }],
    ['tokens.revoke', { tokenId: jti }],
    ['introductions.revoke', { introductionId: on.introductionId }],
    ['agents.suspend', { agentId: on.planner.agentId }],
  ] as const)
    expect(['not_found', 'insufficient_scope']).toContain(await reasonOf(outsider.mutate(path, input)))
})

attack('TEX-19', 'a renewal changes nothing of what was relied on', on, async () => {
  const own = await aPair(on.registry)
  await own.ocr.publish({ card: aCard(on.registry, { description: 'Only prose has changed.' }) })
  expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('done')
  await introduce(own.planner, own.ocr)
})

attack(
  'MDB-01',
  'operators and lists in place of texts',
  on,
  async () => {
    for (const value of [{ $ne: null }, { $gt: '' }, { $regex: '.*' }, ['a'], 5, null, true]) {
      expect(await ask('cards.get', { agentId: value })).toEqual([400, 'bad_input'])
      expect(await post('/trpc/members.join', JSON.stringify({ code: value, name: 'x', jwk: {}, proof: 'x' }))).toEqual([400, 'bad_input'])
      expect(await reasonOf(on.planner.query('tasks.get', { taskId: value }))).toBe('bad_input')
    }
  },
  { writes: false },
)
attack('MDB-02', 'odd names inside a card are kept as text, or refused', on, async () => {
  const callee = await on.registry.agent({ of: on.acme })
  const odd = aCard(on.registry, { $where: 'x', 'a.b': 1, _id: 'x', 'nul\u0000': 1 })
  expect(await publish(callee, callee.agentId, await signCard(odd, callee.signer))).toBe('done')
  const served = await (await on.registry.fetch(`/agents/${callee.agentId}/.well-known/agent-card.json`)).json()
  expect(served).toMatchObject({ $where: 'x', 'a.b': 1, _id: 'x' })
  expect(await publish(callee, callee.agentId, '{"__proto__":{"polluted":1}}')).toBe('card_invalid')
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})
attack(
  'MDB-03',
  'a regular expression that would run for ever',
  on,
  async () => expect((await ask('discovery.search', { text: '(a+)+$ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' }))[0]).toBe(200),
  { writes: false },
)
