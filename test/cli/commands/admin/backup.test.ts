import { exec } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import { joinRegistry, newEs256Signer } from '../../../../src/client/index.js'
import { spawnNode } from '../../../child.mjs'
import { programFile } from '../../../program.mjs'
import { tempFolder } from '../../../storage/open-store.js'
import { runCommand } from '../../command-line.js'

const credence = (...args: readonly string[]) => runCommand(args)

async function serving(data: string) {
  const args = [programFile(), 'serve', '--dev', '--data', data, '--port', '0', '--admin-port', '0', '--log-level', 'silent']
  const child = spawnNode(args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH } })
  let text = ''
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.includes('serving')) break
  }
  child.stdout.resume()
  const line = (name: string) => new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1] ?? ''
  return {
    issuer: line('registry'),
    code: line('first code'),
    stop: async (signal: 'SIGTERM' | 'SIGKILL') => {
      child.kill(signal)
      await once(child, 'exit')
    },
  }
}

test('a backup beside a running registry holds what was acknowledged before, has mode 600, and says where it ends', async () => {
  await using folder = await tempFolder()
  const [data, backup, restored] = ['data', 'backup.db', 'restored'].map((name) => join(folder.path, name)) as [string, string, string]
  const registry = await serving(data)
  const { memberId } = await joinRegistry({ issuer: registry.issuer, code: registry.code, name: 'Olga', signer: await newEs256Signer() })
  expect(statSync(join(data, 'backup.sock')).mode & 0o777).toBe(0o600)
  const made = await credence('admin', 'backup', backup, '--data', data, '--json')
  expect(made, made.err).toMatchObject({ code: 0, err: '' })
  const result = JSON.parse(made.out)
  expect(result).toMatchObject({ position: expect.stringMatching(/^epo:.*\.\d+$/), time: expect.stringMatching(/Z$/), whileRunning: true })
  expect(statSync(backup).mode & 0o777).toBe(0o600)
  expect(await credence('admin', 'check', backup)).toMatchObject({ code: 0, out: expect.stringContaining('No damage was found.') })
  expect(await credence('admin', 'check', '--data', data)).toMatchObject({ code: 1, err: expect.stringContaining('admin backup <file>') })

  // The file without its write-ahead log lacks what was acknowledged; a backup does not
  expect(existsSync(join(data, 'credence.db-wal'))).toBe(true)
  await registry.stop('SIGKILL')
  mkdirSync(restored, { mode: 0o700 })
  copyFileSync(backup, join(restored, 'credence.db'))
  const restore = await credence('admin', 'restore', '--data', restored, '--witness', join(data, 'witness.json'))
  const entry = result.position.split('.').at(-1)
  expect(restore, restore.err).toMatchObject({
    code: 0,
    out: expect.stringContaining(`The backup ends at entry ${entry} of the log (${result.time})`),
  })
  expect(restore.out).toContain('The witness knows of entry')
  expect(restore.out).not.toMatch(/complete/i)
  const db = new DatabaseSync(join(restored, 'credence.db'))
  expect(db.prepare('SELECT 1 FROM "docs/members" WHERE key = ?').get(memberId)).toBeDefined()
  db.close()
})

test('an existing file, a missing folder, a store in MongoDB and a missing store are refused, and nothing is left', async () => {
  await using folder = await tempFolder()
  const data = join(folder.path, 'data')
  await (await serving(data)).stop('SIGTERM')
  const existing = join(folder.path, 'there')
  writeFileSync(existing, 'mine')
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[existing, '--data', data], 'conflict: '],
    [[join(folder.path, 'no', 'where'), '--data', data], 'unavailable: ENOENT'],
    [
      [join(folder.path, 'new'), '--store', 'mongodb://127.0.0.1/x'],
      'bad_input: a store in MongoDB has no file to copy: use credence admin dump',
    ],
    [[join(folder.path, 'new'), '--data', folder.path], 'unavailable: the store'],
  ]
  for (const [args, expected] of cases) {
    const { code, err } = await credence('admin', 'backup', ...args)
    expect([code, err.startsWith(expected)], err).toEqual([1, true])
  }
  expect(readdirSync(folder.path).sort()).toEqual(['data', 'there'])
  expect(readdirSync(data).sort()).toEqual(['credence.db', 'credence.reserve', 'witness.json'])
})

test('a stopped store is copied with its write-ahead log, and a backup can be piped', async () => {
  await using folder = await tempFolder()
  const [data, piped] = [join(folder.path, 'data'), join(folder.path, 'piped.db')]
  const registry = await serving(data)
  await joinRegistry({ issuer: registry.issuer, code: registry.code, name: 'Olga', signer: await newEs256Signer() })
  await registry.stop('SIGKILL')
  expect(statSync(join(data, 'credence.db-wal')).size).toBeGreaterThan(0)
  const command = `${JSON.stringify(process.execPath)} ${JSON.stringify(programFile())} admin backup - --data ${data} | cat > ${piped}`
  const { stderr } = await promisify(exec)(command)
  expect(stderr).toMatch(/^The backup ends at entry epo:\S+ of 20\S+Z\.\n$/)
  expect(await credence('admin', 'check', piped, '--json')).toMatchObject({ code: 0 })
  expect(readdirSync(data).filter((name) => name.includes('partial'))).toEqual([])
})

test('a second backup is refused while one is made, and a command that goes away does not block the next', async () => {
  await using folder = await tempFolder()
  const data = join(folder.path, 'data')
  const killed = await serving(data)
  await killed.stop('SIGKILL')
  // The socket file of the killed process is replaced
  const registry = await serving(data)
  const first = connect(join(data, 'backup.sock'))
  const [answer] = await once(first, 'data')
  expect(String(answer)).toBe('held\n')
  const target = join(folder.path, 'a.db')
  expect(await credence('admin', 'backup', target, '--data', data)).toMatchObject({
    code: 1,
    err: 'unavailable: another backup is in progress\n',
  })
  first.destroy()
  await once(first, 'close')
  // A file of another program
  writeFileSync(`${target}.partial`, 'foreign')
  // The registry notices a moment later that the first one went away
  const codeOf = async () => (await credence('admin', 'backup', target, '--data', data)).code
  await expect.poll(codeOf).toBe(0)
  const holding = connect(join(data, 'backup.sock'))
  await once(holding, 'data')
  // A hold does not delay a stop
  await registry.stop('SIGTERM')
  expect(readdirSync(data).sort()).toEqual(['credence.db', 'credence.reserve', 'witness.json'])
  expect(readdirSync(folder.path).sort()).toEqual(['a.db', 'a.db.partial', 'data'])
})
