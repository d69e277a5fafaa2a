// The `credence admin` commands over a MongoDB deployment: the warning that all of them print, and `export` and `erase`.
import { execFile as run } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { patchedReleaseFor } from '../../../../src/storage/mongo/session/connect.js'
import { tenantDataTests } from '../../../operations/tenant-data/tenant-data.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { withDatabase } from '../backup.js'

const execFile = promisify(run)
const MAIN = resolve(import.meta.dirname, '../../../../dist/cli/main.js')

overMongod((mongod) => {
  describe('admin export and erase', () =>
    tenantDataTests(() => {
      const url = mongod().url()
      return { url, drop: () => mongod().drop(url) }
    }))

  test('every admin command warns on standard error about a MongoDB release with published vulnerabilities', async () => {
    await using folder = await tempFolder()
    const [url, file] = [mongod().url(), join(folder.path, 'credence.db')]
    await writeFile(file, '')
    const upgradeTo = patchedReleaseFor(await withDatabase(url, (db) => db.command({ buildInfo: 1 })))
    const org = `org_${'A'.repeat(22)}`
    const commands = [
      ['export', '--store', url, '--org', org, '--to', join(folder.path, 'a.jsonl')],
      ['erase', '--yes', '--store', url, '--org', org],
      ['restore', '--store', url],
      ['dump', '--store', url, '--to', join(folder.path, 'a.jsonl')],
      ['load', '--store', url, '--from', file],
    ]
    for (const command of commands) {
      const { stderr } = await execFile(process.execPath, [MAIN, 'admin', ...command]).catch((error: { stderr: string }) => error)
      expect([command[0], /^warning: .*vulnerabilities .*upgradeTo=(.*)$/m.exec(stderr)?.[1]]).toEqual([command[0], upgradeTo])
    }
    await mongod().drop(url)
  }, 60_000)
})
