import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { createAgent, joinRegistry, newEs256Signer } from '../../../src/client/index.js'
import { spawnNode } from '../../child.mjs'
import { tempFolder } from '../../storage/open-store.js'
import { resultOf, runCommand } from '../command-line.js'

// Runs the built program; `npm test` builds it first.
const MAIN = resolve(import.meta.dirname, '../../../dist/cli/main.js')
const run = (args: readonly string[]) => spawnNode([MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } })

async function output(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  const texts = { out: '', err: '' }
  child.stdout?.on('data', (data) => {
    texts.out += data
  })
  child.stderr?.on('data', (data) => {
    texts.err += data
  })
  const [code] = await once(child, 'close')
  return { code, ...texts }
}

async function serving(
  data: string,
  more: readonly string[] = [],
): Promise<{ child: ChildProcess; text: string; issuer: string; admin: string; code: string | undefined; log: () => string }> {
  const child = run(['serve', '--dev', '--data', data, '--port', '0', '--admin-port', '0', ...more])
  let text = ''
  let log = ''
  child.stderr?.on('data', (chunk) => {
    log += chunk
  })
  await new Promise<void>((done, fail) => {
    child.once('exit', (code) => fail(new Error(`the registry exited with code ${code}: ${log}`)))
    child.stdout?.on('data', (chunk) => {
      text += chunk
      if (text.includes('serving')) done()
    })
  })
  const line = (name: string) => new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1]
  return { child, text, issuer: line('registry') ?? '', admin: line('admin') ?? '', code: line('first code'), log: () => log }
}

test('the program has been built', () => {
  expect(existsSync(MAIN)).toBe(true)
})

test.each([
  [['serve', '--dev', '--port', '99999'], 'configuration /port'],
  [['serve'], 'configuration /issuer'],
  [['serve', '--issuer', 'https://a.example/path'], 'configuration /issuer'],
  [['serve', '--issuer', 'https://a.example'], 'configuration /witness: required'],
  [
    ['serve', '--issuer', 'https://a.example', '--witness', '.credence/w.json'],
    'configuration /witness: .credence/w.json is in the data directory',
  ],
  [['serve', '--dev', '--host', '0.0.0.0'], 'configuration /host'],
  [['serve', '--config', '/nowhere.json'], 'configuration file /nowhere.json'],
])('%j exits with the path of the wrong setting', async (args, expected) => {
  const { code, err } = await runCommand(args)
  expect(code).toBe(1)
  expect(err).toContain(expected)
  expect(err).not.toContain('    at ')
})

test('a start with a port in use or a file as data directory exits with one line', async () => {
  await using folder = await tempFolder()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const port = String((taken.address() as AddressInfo).port)
  const file = join(folder.path, 'a-file')
  writeFileSync(file, '')
  const starts: readonly [readonly string[], string][] = [
    [['--data', folder.path, '--port', port, '--admin-port', '0'], `unavailable: cannot listen on 127.0.0.1:${port}: the port is in use`],
    [['--data', folder.path, '--port', '0', '--admin-port', port], `unavailable: cannot listen on 127.0.0.1:${port}: the port is in use`],
    [
      ['--data', file, '--port', '0', '--admin-port', '0'],
      `unavailable: ${file}/credence.reserve: a directory is needed, but a file is there`,
    ],
  ]
  for (const [flags, expected] of starts) {
    const { code, err } = await runCommand(['serve', '--dev', '--log-level', 'error', ...flags])
    expect([code, err.trim()]).toEqual([1, expected])
  }
  taken.close()
})

test('the first start prints a one-time code, a second process is refused, and the next start prints no code', async () => {
  await using folder = await tempFolder()
  const first = await serving(folder.path, ['--log-level', 'info'])
  expect((await fetch(`${first.admin}/livez`)).status).toBe(200)
  expect((await fetch(`${first.admin}/readyz`)).status).toBe(200)
  expect((await fetch(`${first.issuer}/readyz`)).status).toBe(404)
  const signer = await newEs256Signer()
  const { memberId, role } = await joinRegistry({ issuer: first.issuer, code: first.code ?? '', name: 'Olga', signer })
  expect(role).toBe('operator')
  const second = await output(run(['serve', '--dev', '--data', folder.path, '--port', '0', '--admin-port', '0']))
  expect(second.code).toBe(1)
  expect(second.err).toContain('in use by another process')
  const operator = createAgent({ issuer: first.issuer, clientId: memberId, signer })
  await operator.mutate('organisations.create', { name: 'Acme' })
  first.child.kill('SIGTERM')
  expect((await once(first.child, 'close'))[0]).toBe(0)
  const lines = first
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ msg }) => msg)).toEqual([
    'the registry is listening',
    'the disk has a reserve for revocations',
    'the registry is closed',
  ])
  const again = await serving(folder.path)
  expect(again.code).toBeUndefined()
  again.child.kill('SIGTERM')
  await once(again.child, 'exit')
})

test('a registry without a witness says at each start what is not protected', async () => {
  await using folder = await tempFolder()
  const witness = ['--witness', `${folder.path}/witness.json`]
  for (const [flags, expected] of [[['--no-witness'], true] as const, [['--no-witness'], true] as const, [witness, false] as const]) {
    const registry = await serving(`${folder.path}/data-${expected}`, flags)
    registry.child.kill('SIGTERM')
    await once(registry.child, 'exit')
    expect(/^warning +no witness: /m.test(registry.text)).toBe(expected)
  }
  expect(existsSync(`${folder.path}/data-true/witness.json`)).toBe(false)
})

test('the command line goes from login to an introduced agent', async () => {
  await using folder = await tempFolder()
  const registry = await serving(`${folder.path}/data`)
  const cli = (profile: string, ...args: string[]) => resultOf([...args, '--profile', profile, '--home', `${folder.path}/home`])
  try {
    await cli('olga', 'login', '--registry', registry.issuer, '--code', registry.code ?? '')
    const { orgId } = await cli('olga', 'org', 'create', 'Acme')
    const { code } = await cli('olga', 'org', 'invite', orgId, '--role', 'administrator')
    await cli('ada', 'login', '--registry', registry.issuer, '--code', code, '--name', 'Ada')
    const target = await cli('ada', 'agent', 'register', 'target', '--introduction-policy', 'open')
    await cli('target', 'agent', 'confirm', target.agentId, '--registry', registry.issuer, '--token', target.registrationToken)
    const card = resolve(import.meta.dirname, '../../../examples/cards/v10-juniper-clinic.json')
    expect(
      await cli('target', 'card', 'publish', target.agentId, card, '--hide', '/skills/1', '--tier', '/skills/1=authenticated'),
    ).toMatchObject({ version: 1 })
    const misspelt = cli('target', 'card', 'publish', target.agentId, card, '--hide', '/skills/1', '--tier', '/skills/1=friends')
    await expect(misspelt).rejects.toThrow(
      /^\{"code":"bad_input","message":"--tier .*must be one of public, authenticated, introduced, private"\}\n$/,
    )
    const caller = await cli('ada', 'agent', 'register', 'caller', '--call', `${target.audience}=slots:read`)
    await cli('caller', 'agent', 'confirm', caller.agentId, '--registry', registry.issuer, '--token', caller.registrationToken)
    expect((await cli('caller', 'search', 'appointments')).hits).toHaveLength(1)
    expect(await cli('caller', 'introduction', 'request', target.agentId, '--scope', 'slots:read', '--purpose', 'look')).toMatchObject({
      state: 'granted',
    })
    expect((await cli('caller', 'card', 'show', target.agentId)).state).toBe('verified')
    const { taskId } = await cli('caller', 'task', 'create', 'book')
    await cli('caller', 'task', 'end', taskId, '--yes')
    expect(await cli('x', 'log', 'verify', '--registry', registry.issuer)).toMatchObject({ verified: true })
    await expect(cli('caller', 'org', 'create', 'Mine')).rejects.toThrow('insufficient_scope')
    // A login under an existing profile name keeps the earlier profile
    const invitation = await cli('olga', 'org', 'invite', orgId, '--role', 'member')
    const again = await cli('ada', 'login', '--registry', registry.issuer, '--code', invitation.code, '--name', 'Ben')
    expect(again).toMatchObject({ previousProfile: 'ada-before-1' })
    expect((await cli('ada', 'whoami')).clientId).toBe(again.memberId)
    expect((await cli('ada-before-1', 'org', 'show', orgId)).name).toBe('Acme')
  } finally {
    registry.child.kill('SIGTERM')
    await once(registry.child, 'exit')
  }
})

test('a restored backup is refused by serve until admin restore has run with the mirror', async () => {
  await using folder = await tempFolder()
  const data = `${folder.path}/data`
  const first = await serving(data)
  const stop = async (child: ChildProcess) => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  const mirror = `${folder.path}/mirror.jsonl`
  const mirrored = await runCommand(['log', 'mirror', '--registry', first.issuer, '--to', mirror, '--once', '--json'])
  expect(JSON.parse(mirrored.out).added).toBeGreaterThan(0)
  expect(existsSync(`${mirror}.checkpoint`)).toBe(true)
  await stop(first.child)
  copyFileSync(`${data}/credence.db`, `${folder.path}/backup.db`)
  const second = await serving(data)
  await joinRegistry({ issuer: second.issuer, code: second.code ?? '', name: 'Olga', signer: await newEs256Signer() })
  await stop(second.child)
  copyFileSync(`${folder.path}/backup.db`, `${data}/credence.db`)
  const refused = await output(run(['serve', '--dev', '--data', data, '--port', '0', '--admin-port', '0']))
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('credence admin restore')])
  const unconfirmed = await runCommand(['admin', 'restore', '--data', data, '--mirror', mirror])
  expect([unconfirmed.code, unconfirmed.err]).toEqual([
    1,
    expect.stringContaining('Nothing was written. To restore anyway, run it with --quarantine'),
  ])
  const restored = await runCommand(['admin', 'restore', '--data', data, '--mirror', mirror, '--quarantine'])
  expect([restored.code, restored.out]).toEqual([0, expect.stringContaining('Revocations may be missing')])
  const again = await serving(data)
  expect(again.code).toBeDefined()
  await stop(again.child)
})
