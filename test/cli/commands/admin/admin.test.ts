import { exec } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../../src/server/config.js'
import { serve } from '../../../../src/server/main.js'
import { tempFolder } from '../../../storage/open-store.js'
import { MAIN, runCommand } from '../../command-line.js'

async function admin(args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ code: number; err: string }> {
  const { code, err } = await runCommand(['admin', ...args], { env })
  return { code, err }
}

const UNKNOWN_ORGANISATION = `org_${'A'.repeat(22)}`

test('export and erase accept the configuration of a production server', async () => {
  await using folder = await tempFolder()
  const dataDirectory = join(folder.path, 'data')
  const issuer = 'https://registry.example'
  const witness = join(folder.path, 'witness.json')
  const registry = await serve(parseConfig({ issuer, dataDirectory, witness, port: 0, adminPort: 0, logLevel: 'silent' }, undefined, {}))
  await registry.close()
  const env = { CREDENCE_ISSUER: issuer, CREDENCE_HOST: '0.0.0.0', CREDENCE_DATA_DIRECTORY: dataDirectory }
  const results = [
    await admin(['export', '--org', UNKNOWN_ORGANISATION, '--to', join(folder.path, 'a.jsonl')], env),
    await admin(['erase', '--yes', '--org', UNKNOWN_ORGANISATION], env),
  ]
  for (const result of results) expect(result).toEqual({ code: 1, err: `not_found: no organisation has the id ${UNKNOWN_ORGANISATION}\n` })
})

test('an admin command does not create a missing store', async () => {
  await using folder = await tempFolder()
  const { code, err } = await admin(['erase', '--yes', '--org', UNKNOWN_ORGANISATION, '--data', folder.path], {})
  expect([code, err]).toEqual([1, expect.stringContaining('credence.db does not exist')])
  expect(existsSync(join(folder.path, 'credence.db'))).toBe(false)
})

test('a dump can be piped into a load, and its progress and result are separate from it', async () => {
  await using folder = await tempFolder()
  const [source, target, witness] = ['source', 'target', 'witness.json'].map((name) => join(folder.path, name))
  const registry = await serve(
    parseConfig({ dev: true, dataDirectory: source, witness, port: 0, adminPort: 0, logLevel: 'silent' }, undefined, {}),
  )
  await registry.close()
  const [node, main] = [JSON.stringify(process.execPath), JSON.stringify(MAIN)]
  const dump = `${node} ${main} admin dump --data ${source} --to - --seal`
  const load = `${node} ${main} admin load --data ${target} --from - --witness ${witness}`
  const { stdout, stderr } = await promisify(exec)(`${dump} | ${load}`)
  expect(stdout).toMatch(/^outcome +moved\n(.|\n)*Moved\. Serve this store with the same witness and issuer/)
  expect(stderr).toContain('Sealed: this store can no longer be served')
  expect(existsSync(join(folder.path, 'target/credence.db'))).toBe(true)
})

test('reset-clock refuses a clock that is right and an unnamed witness; with --force it begins a new epoch, and the registry starts again', async () => {
  await using folder = await tempFolder()
  for (const witness of [join(folder.path, 'witness.json'), false] as const) {
    const dataDirectory = join(folder.path, String(witness === false))
    const config = parseConfig({ dev: true, dataDirectory, witness, port: 0, adminPort: 0, logLevel: 'silent' }, undefined, {})
    await (await serve(config)).close()
    const flags = witness === false ? ['--no-witness'] : ['--witness', witness]
    const command = ['admin', 'reset-clock', '--json', '--data', dataDirectory, ...flags]
    expect(await runCommand(command)).toMatchObject({
      err: expect.stringMatching(/^\{"code":"conflict","message":"there is nothing to reset: .*--force/),
    })
    const { out } = await runCommand([...command, '--force'])
    expect(JSON.parse(out)).toEqual({ epoch: expect.stringMatching(/^epo:/), time: expect.stringMatching(/^20.*Z$/) })
    const again = await serve(config)
    await again.close()
  }
})

test('reset-clock of a missing store asks for --data, and not for a backup', async () => {
  await using folder = await tempFolder()
  const { err } = await admin(['reset-clock', '--data', join(folder.path, 'nope'), '--no-witness'], {})
  expect(err).toMatch(
    /^unavailable: the store .*credence\.db does not exist: name the data directory of the registry \(--data\) or its database \(--store\)\n$/,
  )
})
