// The conventions that the introduction of docs/CLI.md states, without a terminal; terminal.test.ts has those of a terminal.
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newPrivateJwk } from '../../src/credentials/jose/sign.js'
import { spawnNode } from '../child.mjs'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { MAIN, newCommandLine, type Run } from './command-line.js'

let registry: Registry
let line: Awaited<ReturnType<typeof newCommandLine>>
let acme: Actor
let ocr: AgentActor
let planner: AgentActor

beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  line = await newCommandLine(registry)
  acme = await registry.organisation('Acme')
  await line.administrator('default', acme)
  await line.administrator('operator', registry.operator, registry.operator.orgId, 'operator')
  ocr = await registry.agent({ registeredBy: acme, name: 'ocr', introductionPolicy: { mode: 'open' } })
  planner = await registry.agent({
    registeredBy: acme,
    name: 'planner',
    ceiling: { rights: [{ audience: { anyAgent: true }, scope: 'ocr:read' }] },
  })
  await ocr.publish({ card: aCard(registry) })
  await planner.mutate('introductions.request', { to: ocr.agentId, scopes: ['ocr:read'], purpose: 'tab\there' })
})
afterAll(async () => {
  await line[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const run = (...args: readonly string[]): Promise<Run> => line.run(args)
const rowsOf = ({ out }: Run): string[][] =>
  out
    .trimEnd()
    .split('\n')
    .map((row) => row.split('\t'))

describe('output', () => {
  test('a list in a pipe has tab-separated values with a head, the same columns, ISO times, and no colours', async () => {
    const [head = [], ...rows] = rowsOf(await line.run(['agent', 'list'], { env: { FORCE_COLOR: '1' } }))
    expect(head).toEqual([
      'id',
      'name',
      'state',
      'registered',
      'introductions',
      'parent',
      'ended',
      'reason',
      'type',
      'scope level',
      'description',
      'audience',
      'organisation',
    ])
    expect(rows.map((cells) => cells.length)).toEqual([13, 13])
    expect(rows).toContainEqual([
      ocr.agentId,
      'ocr',
      'active',
      expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      'open',
      '',
      '',
      '',
      '',
      '',
      '',
      ocr.audience,
      acme.orgId,
    ])
    expect(rowsOf(await run('introduction', 'list', '--role', 'from'))[1]).toContain('tab\\there')
  })

  test('one thing has ISO times, and epoch seconds in JSON', async () => {
    expect((await run('agent', 'show', 'ocr')).out).toMatch(/^registeredAt +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m)
    expect((await line.json('agent', 'show', 'ocr')).registeredAt).toEqual(expect.any(Number))
  })

  test('--json selects fields of each item or of one thing; an unknown one is refused with the list, and one that is absent is not', async () => {
    expect(JSON.parse((await run('agent', 'list', '--json', 'name,id,parent')).out)).toEqual(
      expect.arrayContaining([
        { name: 'ocr', id: ocr.agentId },
        { name: 'planner', id: planner.agentId },
      ]),
    )
    expect(JSON.parse((await run('agent', 'show', 'ocr', '--json=state,endedAt')).out)).toEqual({ state: 'active' })
    const unknown = await run('agent', 'list', '--json', 'id,nam')
    expect([unknown.code, unknown.out, JSON.parse(unknown.err)]).toEqual([
      2,
      '',
      { code: 'bad_input', message: expect.stringMatching(/no field is named nam \(fields: id, agentId, orgId, name, /) },
    ])
  })

  test('--json does not take an id for a field, and a command that changes something selects none', async () => {
    expect((await run('agent', 'show', '--json', ocr.agentId)).code).toBe(2)
    const created = await run('task', 'create', '--json', 'description', 'work')
    expect([created.code, JSON.parse(created.err).code]).toEqual([2, 'usage'])
  })

  test('an introduction inside the organisation is listed once, with its direction and the names of both agents', async () => {
    const [head = [], ...rows] = rowsOf(await run('introduction', 'list'))
    const cells = Object.fromEntries(head.map((name, at) => [name, rows[0]?.[at]]))
    expect(rows).toHaveLength(1)
    expect(cells).toMatchObject({ direction: 'internal', from: 'planner', to: 'ocr', fromId: planner.agentId, toId: ocr.agentId })
    expect((await line.json('introduction', 'list', '--role', 'to')).items[0]).toMatchObject({ direction: 'received', fromName: 'planner' })
    const cursor = await run('introduction', 'list', '--cursor', 'x')
    expect([cursor.code, cursor.err]).toEqual([2, expect.stringContaining('--cursor needs --role')])
  })
})

describe('errors', () => {
  test.each([
    ['a refusal', ['task', 'show', `tsk_${'A'.repeat(22)}`], 1, 'not_found'],
    ['an unknown option', ['task', 'list', '--lmit', '2'], 2, 'usage'],
    ['an unknown command', ['tusk'], 2, 'usage'],
    ['a missing argument', ['task', 'show'], 2, 'usage'],
    ['a wrong value', ['task', 'list', '--limit', '0'], 2, 'usage'],
    ['a wrong duration', ['task', 'create', 'x', '--life', '1w'], 2, 'bad_input'],
    ['an unknown name', ['agent', 'show', 'nobody'], 2, 'bad_input'],
    ['no profile', ['task', 'list', '--profile', 'none'], 4, 'invalid_client'],
  ])('%s: exit code, text, and JSON on standard error', async (_, args, code, reason) => {
    const text = await run(...args)
    const json = await run(...args, '--json')
    expect([text.code, text.out, json.code, json.out]).toEqual([code, '', code, ''])
    expect(text.err).toMatch(reason === 'usage' ? /^error: / : new RegExp(`^${reason}: `))
    expect(JSON.parse(json.err)).toEqual({
      code: reason,
      message: expect.any(String),
      ...(code === 4 && { hint: expect.stringContaining('credence login') }),
    })
  })

  test('faults of an input are in the JSON, and in the text', async () => {
    const args = ['agent', 'register', '']
    const { code, err } = await run(...args, '--json')
    expect([code, JSON.parse(err)]).toEqual([
      1,
      { code: 'bad_input', message: expect.any(String), faults: [{ pointer: '/name', hint: expect.any(String) }] },
    ])
  })

  test('a key that was revoked is not authenticated', async () => {
    const memberId = await line.administrator('gone', acme)
    await acme.mutate('members.revoke', { memberId })
    expect([(await run('task', 'list', '--profile', 'gone')).code, (await run('whoami', '--profile', 'gone')).code]).toEqual([4, 4])
  })
})

describe('lists', () => {
  test('20 items and a notice, --limit, --all, and a cursor in JSON', async () => {
    for (let n = 1; n <= 103; n++) await planner.mutate('tasks.create', { description: `task ${n}` })
    const page = await run('task', 'list')
    expect([rowsOf(page).length, page.err]).toEqual([21, '20 shown; more: --all\n'])
    const limited = await run('task', 'list', '--limit', '101')
    expect([rowsOf(limited).length, limited.err]).toEqual([102, '101 shown; more: --all\n'])
    const all = await run('task', 'list', '--all')
    expect([rowsOf(all).length, all.err]).toEqual([104, ''])
    expect(rowsOf(all)[1]).toEqual(expect.arrayContaining(['planner', planner.agentId]))
    const first = await line.json('task', 'list', '--limit', '100')
    const rest = await line.json('task', 'list', '--cursor', first.cursor)
    expect([first.items.length, rest.items.length, rest.cursor]).toEqual([100, 3, undefined])
    expect((await line.json('task', 'list', '--all')).items).toHaveLength(103)
  })

  test('a reader that closes the pipe ends the command without an error', async () => {
    const child = spawnNode([MAIN, 'task', 'list', '--all'], { env: { PATH: process.env.PATH, CREDENCE_HOME: line.home } })
    let err = ''
    child.stderr?.on('data', (text) => {
      err += String(text)
    })
    child.stdout?.destroy()
    expect([await once(child, 'close'), err]).toEqual([[0, null], ''])
  })

  test('the audit names actors, also members', async () => {
    const [head = [], ...rows] = rowsOf(await run('audit', '--action', 'members.join'))
    expect(rows.map((cells) => cells[head.indexOf('actor')])).toContain('default')
  })

  test('a search says how many match in all', async () => {
    for (const name of ['one', 'two']) {
      const agent = await registry.agent({ registeredBy: acme, name })
      await agent.publish({ card: aCard(registry, { name, description: 'Reads scanned documents.' }) })
    }
    const { err } = await run('search', 'scanned', '--limit', '1')
    expect(err).toBe('1 of 3 shown; more: --all\n')
  })
})

describe('names', () => {
  test('an agent, a member and an organisation are found by their names', async () => {
    await line.administrator('Ada', acme)
    expect((await line.json('agent', 'show', 'Planner')).agentId).toBe(planner.agentId)
    expect((await line.json('organisation', 'show', 'Acme', '--profile', 'operator')).orgId).toBe(acme.orgId)
    expect((await line.json('key', 'list', 'ocr')).items).toHaveLength(1)
    await line.json('agent', 'change', 'ocr', '--call', 'planner=a:read', '--call', 'any=b:read', '--token-seconds', '60', '--depth', '0')
    expect((await line.json('agent', 'show', 'ocr')).ceiling).toMatchObject({
      rights: expect.arrayContaining([
        { audience: planner.audience, scope: 'a:read' },
        { audience: { anyAgent: true }, scope: 'b:read' },
      ]),
      tokenSeconds: 60,
      delegationDepth: 0,
    })
    await line.json('member', 'role', 'Ada', 'member')
    const { items } = await line.json('member', 'list', 'Acme', '--all')
    expect(items.find(({ name }: { name: string }) => name === 'Ada').role).toBe('member')
  })

  test('a name that two have is refused with their ids', async () => {
    const twins = [await registry.organisation('Twin'), await registry.organisation('Twin')]
    const { code, err } = await run('organisation', 'show', 'Twin', '--profile', 'operator')
    expect(code).toBe(2)
    for (const { orgId } of twins) expect(err).toContain(orgId)
  })
})

describe('endings', () => {
  test('without a terminal an ending needs --yes, and --dry-run says what would be revoked and changes nothing', async () => {
    const refused = await run('agent', 'suspend', 'planner')
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('add --yes, or --dry-run')])
    expect(await line.json('agent', 'revoke', 'planner', '--dry-run', '--yes', '--reason', 'policy')).toEqual({
      dryRun: true,
      revokes: `agent planner (${planner.agentId}, active)`,
      endsWithIt: {
        keys: 1,
        introductions: '0 received, 1 requested',
        tasks: 103,
        'agents that it registered': 0,
        tokens: 'all',
      },
      reason: 'policy',
    })
    const organisation = await line.json('organisation', 'revoke', 'Acme', '--dry-run', '--profile', 'operator')
    expect(organisation.endsWithIt).toMatchObject({ agents: 4, keys: 0, namespaces: 0, members: expect.any(Number) })
    expect((await line.json('agent', 'show', 'planner')).state).toBe('active')
    await line.json('agent', 'suspend', 'planner', '--yes', '--reason', 'policy')
    expect(await line.json('agent', 'show', 'planner')).toMatchObject({ state: 'suspended', reason: 'policy' })
    await line.json('agent', 'reinstate', 'planner')
  })

  test('each kind of thing has a dry run', async () => {
    const { taskId } = await ocr.tasks.create({ description: 'parent' })
    await ocr.tasks.create({ description: 'child', parentTaskId: taskId })
    const [key] = (await line.json('key', 'list', 'Acme')).items
    const keys = (await line.json('key', 'list', ocr.agentId)).items
    const { items } = await line.json('introduction', 'list')
    const signing = (await line.json('signing-key', 'list', '--profile', 'operator')).items[0]
    const dryRun = async (...args: readonly string[]) => line.json(...args, '--dry-run')
    expect(key).toBeUndefined()
    expect((await dryRun('task', 'end', taskId)).endsWithIt).toEqual({ 'child tasks': 1, tokens: 0 })
    expect((await dryRun('key', 'revoke', keys[0].keyId)).revokes).toBe(`key ${keys[0].keyId}`)
    expect((await dryRun('key', 'compromise', keys[0].keyId, '--since', '1d')).endsWithIt).toHaveProperty('what it has granted since')
    expect((await dryRun('key', 'retire', keys[0].keyId, '--overlap', '10m')).revokes).toBe(`key ${keys[0].keyId}, after 600 s`)
    expect((await run('key', 'retire', keys[0].keyId)).code).toBe(2)
    expect((await dryRun('introduction', 'revoke', items[0].introductionId)).revokes).toMatch(/^introduction int_.* for ocr:read$/)
    expect((await dryRun('card', 'unpublish', 'ocr')).revokes).toMatch(/^card Ocelot OCR of agt_.*, version 1 \(current\)$/)
    expect((await dryRun('card', 'yank', 'ocr', '1')).revokes).toMatch(/version 1/)
    expect((await dryRun('member', 'revoke', 'Ada')).revokes).toMatch(/^member Ada \(mem_.*, member, active\)$/)
    expect((await dryRun('namespace', 'remove', 'acme.example')).revokes).toBe('namespace acme.example (not found)')
    expect((await dryRun('signing-key', 'revoke', signing.kid, '--profile', 'operator')).revokes).toContain(signing.kid)
    const leaver = await line.administrator('leaver', acme, acme.orgId, 'member')
    expect((await dryRun('member', 'revoke', leaver, '--profile', 'leaver')).endsWithIt).toEqual({ keys: 1, tokens: 'all' })
    expect((await line.json('agent', 'show', 'ocr')).state).toBe('active')
  })
})

describe('secrets and profiles', () => {
  test('a code comes from standard input or the environment, and the environment names registry, profile and folder', async () => {
    const invite = async () => (await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })).code
    const env = { CREDENCE_REGISTRY: registry.issuer, CREDENCE_PROFILE: 'from-stdin' }
    expect((await line.run(['login', '--code', '-', '--name', 'Ben'], { env, input: `${await invite()}\n` })).code).toBe(0)
    expect(
      (await line.run(['login', '--name', 'Cy', '--profile', 'from-env'], { env: { ...env, CREDENCE_CODE: await invite() } })).code,
    ).toBe(0)
    const who = JSON.parse((await line.run(['whoami', '--json'], { env })).out)
    expect(who).toMatchObject({
      profile: 'from-stdin',
      registry: registry.issuer,
      kind: 'member',
      organisation: 'Acme',
      clientId: expect.stringMatching(/^mem_/),
    })
    const registered = await line.json('agent', 'register', 'fresh')
    const confirmed = await line.run(['agent', 'confirm', registered.agentId, '--profile', 'fresh'], {
      env: { ...env, CREDENCE_REGISTRATION_TOKEN: registered.registrationToken },
    })
    expect(confirmed.code).toBe(0)
  })

  test('profiles lists them, and logout removes one, with its key at the registry only if that is asked for', async () => {
    const memberId = await line.administrator('leaving', acme)
    const { out } = await run('profiles', '--profile', 'leaving')
    expect(rowsOf({ code: 0, out, err: '' })).toContainEqual(['leaving', 'yes', registry.issuer, memberId])
    expect((await run('logout', '--profile', 'leaving')).code).toBe(2)
    await line.json('task', 'list', '--profile', 'leaving')
    const key = async () => (await acme.query<{ items: { state: string }[] }>('keys.list', { owner: memberId })).items[0]?.state
    expect(await line.json('logout', '--profile', 'leaving', '--dry-run')).toMatchObject({ dryRun: true })
    expect([await key(), line.profiles.list()]).toEqual(['active', expect.arrayContaining(['leaving'])])
    expect(await line.json('logout', '--profile', 'leaving', '--yes', '--revoke-key')).toMatchObject({
      removed: 'leaving',
      revokedKey: expect.stringMatching(/^key_/),
    })
    expect([await key(), line.profiles.list().includes('leaving'), line.profiles.tokenStore('leaving').load()]).toEqual([
      'revoked',
      false,
      undefined,
    ])
  })

  test('after logout no file holds the private key, neither the profile nor the copy of login; a publisher key stays, in a file that is named', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
    const { keyFile } = await line.json('login', '--registry', registry.issuer, '--code', code, '--name', 'Zoe', '--profile', 'zoe')
    await line.json('key', 'register', 'Acme', '--profile', 'zoe')
    await line.json('task', 'list', '--profile', 'zoe')
    const { privateJwk, publisherJwk } = line.profiles.read('zoe')
    const filesWith = async (secret: unknown) => {
      const files = (await readdir(line.home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
      const texts = await Promise.all(
        files.map(async ({ parentPath, name }) => [name, await readFile(join(parentPath, name), 'utf8')] as const),
      )
      return texts.flatMap(([name, text]) => (text.includes(String(secret)) ? [name] : [])).sort()
    }
    expect(await filesWith(privateJwk.d)).toEqual([basename(keyFile), 'zoe.json'].sort())
    const { publisherKeyFile } = await line.json('logout', '--profile', 'zoe', '--yes')
    expect(await filesWith(privateJwk.d)).toEqual([])
    expect(await filesWith(publisherJwk?.d)).toEqual([basename(publisherKeyFile)])
    expect(await filesWith('accessToken')).not.toContain('zoe.json')
  })

  test('the access token is kept with mode 600, so that a second command requests none; a damaged file is replaced', async () => {
    await line.administrator('keeper', acme)
    const tokens = async () =>
      (await acme.query<{ items: { action: string }[] }>('audit.list', { limit: 100, action: 'oauth.token' })).items.length
    await run('task', 'list', '--profile', 'keeper')
    const before = await tokens()
    await run('task', 'list', '--profile', 'keeper')
    expect(await tokens()).toBe(before)
    const file = join(line.home, 'tokens/keeper.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await writeFile(file, '{')
    expect([(await run('task', 'list', '--profile', 'keeper')).code, JSON.parse(await readFile(file, 'utf8'))]).toEqual([
      0,
      { accessToken: expect.any(String), scope: expect.any(String), expiresAt: expect.any(Number) },
    ])
  })

  test('--verbose prints the requests without anything secret', async () => {
    const { err } = await run('search', 'confidential', '--verbose')
    expect(err).toMatch(new RegExp(`^GET ${registry.issuer}/trpc/discovery\\.search 200 \\d+ ms$`, 'm'))
    expect(err).not.toMatch(/confidential|DPoP|eyJ/)
  })

  test('a profile with a wrong name is refused, and no other file is read', async () => {
    await mkdir(line.home, { recursive: true })
    await writeFile(join(line.home, 'Not A Profile.json'), JSON.stringify(await newPrivateJwk('ES256')))
    expect((await run('profiles')).out).not.toContain('Not A Profile')
    expect((await run('task', 'list', '--profile', '../x')).code).toBe(2)
  })
})

describe('credence api', () => {
  test('calls a query or a mutation of the router, with its input from the command line or standard input', async () => {
    expect(JSON.parse((await run('api', 'organisations.list')).out).items[0].orgId).toBe(acme.orgId)
    const created = await line.run(['api', 'tasks.create', '-'], { input: '{"description":"by hand"}' })
    expect(JSON.parse(created.out)).toMatchObject({ taskId: expect.stringMatching(/^tsk_/) })
  })

  test.each([
    ['agents.lst', 'no procedure is named agents.lst (agents.register,'],
    ['introductions.watch', 'is a subscription'],
  ])('%s is refused before anything is sent', async (procedure, text) => {
    const { code, err } = await run('api', procedure)
    expect([code, err]).toEqual([2, expect.stringContaining(text)])
  })

  test('an input that is no JSON object is refused', async () => {
    for (const input of ['{', '[]', '3']) expect((await run('api', 'tasks.list', input)).code).toBe(2)
  })
})
