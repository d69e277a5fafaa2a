// The `credence admin` commands over a MongoDB deployment: the warning that all of them print, and `export` and `erase`.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { patchedReleaseFor } from '../../../../src/storage/mongo/session/connect.js'
import { runCommand } from '../../../cli/command-line.js'
import { tenantDataTests } from '../../../operations/tenant-data/tenant-data.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { withDatabase } from '../backup.js'

overMongod((mongod) => {
  describe('admin export and erase', () =>
    tenantDataTests(async () => {
      const url = await mongod().lease()
      return { url, release: () => mongod().release(url) }
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
      const { err } = await runCommand(['admin', ...command])
      expect([command[0], /^warning: .*vulnerabilities .*upgradeTo=(.*)$/m.exec(err)?.[1]]).toEqual([command[0], upgradeTo])
    }
    await mongod().drop(url)
  })
})
