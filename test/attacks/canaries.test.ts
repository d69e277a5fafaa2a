import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { aCard, type Registry, startRegistry } from '../registry.js'
import { introduce, reasonOf } from '../stories/actors.js'

/** What a whole main job sent and got, read off the wire, and where it may have been left behind. */
const HIDDEN = 'canary-hidden-claim-7f1d'
const lines: string[] = []
const keep =
  (level: string) =>
  (...parts: unknown[]) =>
    void lines.push(
      `${level} ${JSON.stringify(parts, (_, value) => (value instanceof Error ? `${value.stack} ${String(value.cause)}` : value))}`,
    )
const log: Log = { info: keep('info'), warn: keep('warn'), error: keep('error') }
const secrets = new Map<string, string>()
const answersOfStrangers: string[] = []
let registry: Registry

/** Only signatures are secret: who has none of them has no token. */
function note(name: string, text: string): void {
  const jwts = text.match(/[\w-]{8,}\.[\w-]{8,}\.[\w-]{40,}/g) ?? []
  for (const jwt of jwts) secrets.set(jwt.slice(jwt.lastIndexOf('.') + 1), name)
}

beforeAll(async () => {
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const headers = new Headers(init?.headers)
    note('an access token', headers.get('authorization') ?? '')
    note('a proof', headers.get('dpop') ?? '')
    if (String(input).includes('/oauth/')) note('an assertion or a token that was sent', String(init?.body ?? ''))
    const answer = await real(input, init)
    if (String(input).endsWith('/oauth/token')) note('an issued token', await answer.clone().text())
    for (const code of (await answer.clone().text()).match(/"(?:code|registrationToken)":"[^"]{30,}"/g) ?? [])
      secrets.set(code.slice(code.lastIndexOf('.') + 1, -1), 'a one-time code')
    return answer
  })
  registry = await startRegistry({ log })
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  const ocr = await registry.agent({ of: acme, contact: { mode: 'ask' } })
  const skills = [
    { id: 'read-page', name: 'Read', description: 'a page', tags: ['scan'] },
    { id: 'sealed', name: HIDDEN, description: HIDDEN, tags: [HIDDEN] },
  ]
  await ocr.publish({ card: aCard(registry, { skills }), hide: ['/skills/1'] })
  const planner = await registry.agent({
    of: globex,
    ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: 2 },
  })
  await introduce(planner, ocr)
  const { taskId } = await planner.tasks.create({ description: 'canary-task-2c9e' })
  const token = await planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId })
  await ocr.introspect(token.accessToken)
  // And what goes wrong: refusals are where secrets are usually printed.
  const stranger = await registry.agent({ of: await registry.organisation('Stranger') })
  for (const work of [
    () => planner.exchange({ audience: ocr.audience, scope: 'ocr:admin', taskId }),
    () => stranger.introspect(token.accessToken),
    () => stranger.query('tasks.get', { taskId }),
    () => stranger.query('cards.get', { agentId: ocr.agentId }),
    () => registry.as(stranger, { signer: planner.signer }).query('tasks.list'),
  ])
    answersOfStrangers.push(await work().then(JSON.stringify, (error) => JSON.stringify({ ...error, message: String(error) })))
  for (const path of [
    `/trpc/cards.get?input=${encodeURIComponent(JSON.stringify({ agentId: ocr.agentId }))}`,
    `/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify({ text: HIDDEN }))}`,
    `/trpc/tasks.get?input=${encodeURIComponent(JSON.stringify({ taskId: `Bearer ${token.accessToken}` }))}`,
    '/log/entries?from=0&limit=1000',
  ])
    answersOfStrangers.push(await (await registry.fetch(path, { headers: { authorization: `Bearer ${token.accessToken}` } })).text())
  for (const path of ['/livez', '/readyz', '/metrics'])
    answersOfStrangers.push(await (await fetch(`http://127.0.0.1:${registry.servers[0]?.adminPort}${path}`)).text())
  // A store that fails is a bug whose stack is logged.
  const failing = await registry.addServer(async (name, work) => {
    if (name === 'commit') throw new Error('the disk is on fire')
    return work()
  })
  registry.front.route([failing.port])
  for (const work of [
    () => planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId }),
    () => ocr.publish({ card: aCard(registry, { skills, version: '2' }), hide: ['/skills/1'] }),
  ])
    answersOfStrangers.push(await work().then(JSON.stringify, (error) => JSON.stringify({ ...error, message: String(error) })))
  registry.front.route([registry.servers[0]?.port ?? 0])
  await planner.tasks.end(taskId)
  expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId }))).not.toBe('done')
  answersOfStrangers.push(JSON.stringify(await registry.operator.query('audit.list', { orgId: acme.orgId })))
})
afterAll(async () => {
  vi.restoreAllMocks()
  await registry[Symbol.asyncDispose]()
})

const found = (texts: readonly string[], extra: readonly string[] = []) =>
  [...secrets, ...extra.map((text) => [text, text] as const)]
    .filter(([secret]) => texts.some((text) => text.includes(secret)))
    .map(([, name]) => name)

describe('AUD-01: what was secret on the wire is found', () => {
  test('nowhere in the logs', () => {
    expect(secrets.size).toBeGreaterThan(30)
    expect(lines.some((line) => line.includes('the disk is on fire'))).toBe(true)
    expect(found(lines, [HIDDEN, 'canary-task-2c9e'])).toEqual([])
  })
  test('nowhere in refusals, in the log, in audit rows, in what strangers read and in the admin port’s answers', () => {
    expect(answersOfStrangers.join()).not.toContain('on fire')
    expect(found(answersOfStrangers, [HIDDEN, 'canary-task-2c9e'])).toEqual([])
  })
  test('nowhere in the store', async () => {
    const texts = await registry.stored()
    // What is kept, in its own place, is found: the search sees.
    expect(texts.some((text) => text.includes('canary-task-2c9e'))).toBe(true)
    expect(found(texts)).toEqual([])
  })
})
describe('AUD-02', () => {
  test('a name with line ends and escapes is refused or stays within its line', async () => {
    const before = lines.length
    await reasonOf(registry.operator.mutate('organisations.create', { name: 'a\r\n{"level":"error"}\u001b[31m' }))
    await registry.fetch('/trpc/system.info%0d%0a%1b[31m')
    for (const line of lines.slice(before)) expect(line).not.toMatch(/\p{Cc}/u)
  })
})
