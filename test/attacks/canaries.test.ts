import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { aCard, type Registry, startRegistry } from '../registry.js'
import { introduce, reasonOf } from '../stories/actors.js'

// Records every secret on the wire while the main use case runs, failures included. Then searches logs, responses and store for each of them.
const NON_PUBLIC = 'canary-hidden-claim-7f1d'
const lines: string[] = []
const write =
  (level: string) =>
  (...parts: unknown[]) =>
    void lines.push(
      `${level} ${JSON.stringify(parts, (_, value) => (value instanceof Error ? `${value.stack} ${String(value.cause)}` : value))}`,
    )
const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
const secrets = new Map<string, string>()
/** Response texts that must not contain secrets: refusals, public endpoints, the admin port, audit rows. */
const responses: string[] = []
let registry: Registry

/** Records the signatures in a text. Only the signature is secret: without it a token or proof is useless. */
function recordSecrets(name: string, text: string): void {
  const jwts = text.match(/[\w-]{8,}\.[\w-]{8,}\.[\w-]{40,}/g) ?? []
  for (const jwt of jwts) secrets.set(jwt.slice(jwt.lastIndexOf('.') + 1), name)
}

beforeAll(async () => {
  const real = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const headers = new Headers(init?.headers)
    recordSecrets('an access token', headers.get('authorization') ?? '')
    recordSecrets('a proof', headers.get('dpop') ?? '')
    if (String(input).includes('/oauth/')) recordSecrets('an assertion or a token that was sent', String(init?.body ?? ''))
    const response = await real(input, init)
    if (String(input).endsWith('/oauth/token')) recordSecrets('an issued token', await response.clone().text())
    for (const code of (await response.clone().text()).match(/"(?:code|registrationToken)":"[^"]{30,}"/g) ?? [])
      secrets.set(code.slice(code.lastIndexOf('.') + 1, -1), 'a one-time code')
    return response
  })
  registry = await startRegistry({ log })
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  const ocr = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'ask' } })
  const skills = [
    { id: 'read-page', name: 'Read', description: 'a page', tags: ['scan'] },
    { id: 'sealed', name: NON_PUBLIC, description: NON_PUBLIC, tags: [NON_PUBLIC] },
  ]
  await ocr.publish({ card: aCard(registry, { skills }), hide: ['/skills/1'] })
  const planner = await registry.agent({
    registeredBy: globex,
    ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: 2 },
  })
  await introduce(planner, ocr)
  const { taskId } = await planner.tasks.create({ description: 'canary-task-2c9e' })
  const token = await planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId })
  await ocr.introspect(token.accessToken)
  // Refusals and failures too, since error texts are where secrets usually leak
  const outsider = await registry.agent({ registeredBy: await registry.organisation('Outsider') })
  for (const work of [
    () => planner.exchange({ audience: ocr.audience, scope: 'ocr:admin', taskId }),
    () => outsider.introspect(token.accessToken),
    () => outsider.query('tasks.get', { taskId }),
    () => outsider.query('cards.get', { agentId: ocr.agentId }),
    () => registry.as(outsider, { signer: planner.signer }).query('tasks.list'),
  ])
    responses.push(await work().then(JSON.stringify, (error) => JSON.stringify({ ...error, message: String(error) })))
  for (const path of [
    `/trpc/cards.get?input=${encodeURIComponent(JSON.stringify({ agentId: ocr.agentId }))}`,
    `/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify({ text: NON_PUBLIC }))}`,
    `/trpc/tasks.get?input=${encodeURIComponent(JSON.stringify({ taskId: `Bearer ${token.accessToken}` }))}`,
    '/log/entries?from=0&limit=1000',
  ])
    responses.push(await (await registry.fetch(path, { headers: { authorization: `Bearer ${token.accessToken}` } })).text())
  for (const path of ['/livez', '/readyz', '/metrics'])
    responses.push(await (await fetch(`http://127.0.0.1:${registry.servers[0]?.adminPort}${path}`)).text())
  // An error of the store is a bug, which is logged with its stack.
  const failing = await registry.addServer(async (name, work) => {
    if (name === 'commit') throw new Error('the disk is on fire')
    return work()
  })
  registry.front.route([failing.port])
  for (const work of [
    () => planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId }),
    () => ocr.publish({ card: aCard(registry, { skills, version: '2' }), hide: ['/skills/1'] }),
  ])
    responses.push(await work().then(JSON.stringify, (error) => JSON.stringify({ ...error, message: String(error) })))
  registry.front.route([registry.servers[0]?.port ?? 0])
  await planner.tasks.end(taskId)
  expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId }))).toBe('invalid_request')
  responses.push(JSON.stringify(await registry.operator.query('audit.list', { orgId: acme.orgId })))
})
afterAll(async () => {
  vi.restoreAllMocks()
  await registry[Symbol.asyncDispose]()
})

const secretsIn = (texts: readonly string[], extra: readonly string[] = []) =>
  [...secrets, ...extra.map((text) => [text, text] as const)]
    .filter(([secret]) => texts.some((text) => text.includes(secret)))
    .map(([, name]) => name)

describe('AUD-01: secrets from the wire', () => {
  test('no secret from the wire is in the logs', () => {
    expect(secrets.size).toBeGreaterThan(30)
    expect(lines.some((line) => line.includes('the disk is on fire'))).toBe(true)
    expect(secretsIn(lines, [NON_PUBLIC, 'canary-task-2c9e'])).toEqual([])
  })
  test('no secret from the wire is in refusals, public responses, the trust log, audit rows or responses of the admin port', () => {
    expect(responses.join()).not.toContain('on fire')
    expect(secretsIn(responses, [NON_PUBLIC, 'canary-task-2c9e'])).toEqual([])
  })
  test('no secret from the wire is in the store', async () => {
    const texts = await registry.stored()
    // A task's description is stored: this proves that the search finds stored texts.
    expect(texts.some((text) => text.includes('canary-task-2c9e'))).toBe(true)
    expect(secretsIn(texts)).toEqual([])
  })
})
describe('AUD-02: log injection', () => {
  test('a name with line ends and escapes is refused or stays within its line', async () => {
    const before = lines.length
    await reasonOf(registry.operator.mutate('organisations.create', { name: 'a\r\n{"level":"error"}\u001b[31m' }))
    await registry.fetch('/trpc/system.info%0d%0a%1b[31m')
    for (const line of lines.slice(before)) expect(line).not.toMatch(/\p{Cc}/u)
  })
})
