import { expect, test } from 'vitest'
import { silentLog } from '../../src/lib/log.js'
import type { Entry } from '../../src/protocol/log/entry.js'
import { EMPTY_FRONTIER, frontierTexts } from '../../src/protocol/log/merkle.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { newAppliedLog } from '../../src/trust-log/apply.js'
import { frontierAfter } from '../../src/trust-log/proofs/leaf.js'
import { setClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { aHandle, anEntryId } from './open-logs.js'

test('only the newest 8192 entries are remembered', async () => {
  await using folder = await tempFolder()
  const storage = await openSqlite({ file: `${folder.path}/store.db`, clock: setClock() })
  const applied = newAppliedLog({ port: storage.log, log: silentLog })
  const entries = Array.from({ length: 10_000 }, (_, seq): Entry => ({ id: anEntryId(), type: 'token.revoked', ends: [], seq, time: 1 }))
  const frontier = frontierAfter(EMPTY_FRONTIER, entries)
  const block = { n: 0, epoch: aHandle('epo'), first: 0, writer: 'w', entries, frontier: frontierTexts(frontier), size: frontier.size }
  applied.apply(block)
  expect([0, 1000, 5000, 9999].map((seq) => applied.findRecent(entries[seq]?.id ?? anEntryId())?.seq)).toEqual([
    undefined,
    undefined,
    5000,
    9999,
  ])
  await storage.close()
})
