// A store is put back under a clock that a test sets, with all that its log has told since in a mirror.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { Block, Entry } from '../../../src/protocol/log/entry.js'
import { type RunningServer, startServer } from '../../../src/server/server.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import type { LogPort, Storage } from '../../../src/storage/storage.js'
import { type Merged, restoreLog } from '../../../src/trust-log/recovery/restore.js'
import type { LogHead, WitnessStore } from '../../../src/trust-log/witness/witness.js'
import { freePort } from '../../free-port.mjs'
import { type Actor, type Cast, newCast } from '../../registry.js'
import { setClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'
import { reasonOf } from '../../stories/actors.js'
import { aHandle, anEntryId, noRecords } from '../open-logs.js'

let folder: Awaited<ReturnType<typeof tempFolder>>
let clock: ReturnType<typeof setClock>
let storage: Storage
let server: RunningServer
let port: number
let witness: WitnessStore
let cast: Cast
let acme: Actor
let mallory: Actor
const file = (name: string) => join(folder.path, name)
const open = async () => {
  storage = await openSqlite({ file: file('store.db'), clock })
}
const start = async () => {
  await open()
  const issuer = `http://127.0.0.1:${port}`
  const parts = { storage, clock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', port, adminPort: 0, witness }
  server = await startServer(parts)
  return { issuer, firstCode: server.firstCode ?? '' }
}
const stop = async () => {
  await server.close()
  await storage.close()
}
const invitedBy = async (actor: Actor) => reasonOf(cast.as(actor).mutate('members.invite', { orgId: acme.orgId, role: 'administrator' }))

beforeEach(async () => {
  folder = await tempFolder()
  clock = setClock()
  port = await freePort()
  let kept: LogHead | undefined
  witness = {
    name: 'a variable',
    read: async () => kept,
    write: async (to) => {
      kept = to
    },
  }
  cast = await newCast({ ...(await start()), clock })
  acme = await cast.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
  mallory = await cast.join(code, 'Mallory')
  await stop()
  await copyFile(file('store.db'), file('backup.db'))
  await start()
  await acme.mutate('members.changeRole', { memberId: mallory.clientId, role: 'member' })
})
afterEach(async () => {
  await stop()
  await folder[Symbol.asyncDispose]()
})

/** What a mirror has of it. */
const everything = async (): Promise<readonly Entry[]> => (await storage.log.read(0, 10_000)).flatMap(({ entries }) => entries)

/** Stops, puts the backup back, and restores it with all that was lost. */
async function putBack(through: (port: LogPort) => LogPort = (one) => one): Promise<unknown> {
  const mirror = await everything()
  await stop()
  await copyFile(file('backup.db'), file('store.db'))
  await open()
  const deps = { witness, mirror, ...noRecords, clock, random: systemRandom, log: silentLog }
  try {
    return await restoreLog({ port: through(storage.log), ...deps })
  } finally {
    await storage.close()
  }
}
/** So that log time moves. */
const goOn = () => cast.as(acme).mutate('agents.register', { name: 'x', ceiling: {} })

test.each([
  ['before the store was lost', 7200, 0],
  ['after it was put back', 0, 7200],
])('who was demoted is no administrator again, though the ended version was forgotten %s', async (_, before, after) => {
  clock.advance(before)
  await goOn()
  expect(await putBack()).toMatchObject({ isComplete: true, held: 0 })
  await start()
  clock.advance(after)
  await goOn()
  expect(await invitedBy(mallory)).not.toBe('done')
  expect(await invitedBy(acme)).toBe('done')
})

test('of an agent that ended for ever, a suspension that follows tells nothing', async () => {
  const mirror = await everything()
  const last = mirror.at(-1)
  if (last === undefined) throw new Error('the log is empty')
  const handle = aHandle('agt')
  const more = (['agent.suspended', 'agent.ended', 'agent.suspended'] as const).map(
    (type, i): Entry => ({ ...last, id: anEntryId(), seq: last.seq + 1 + i, type, ends: [{ handle }], begins: [] }),
  )
  await stop()
  await copyFile(file('backup.db'), file('store.db'))
  await open()
  let type: string | undefined
  const recordMerged = async (merged: Merged) => {
    type = merged.get(handle)?.type
  }
  const deps = { witness, ...noRecords, clock, random: systemRandom, log: silentLog }
  await restoreLog({ port: storage.log, ...deps, mirror: [...mirror, ...more], recordMerged })
  await storage.close()
  await start()
  expect(type).toBe('agent.ended')
})

test.each<[string, (block: Block) => boolean]>([
  ['before it began an epoch', ({ entries }) => entries[0]?.type === 'epoch.started'],
  ['before the last that the epoch begins with', ({ writer }) => writer === 'restore'],
])('a restore that was killed %s leaves what nobody may serve, and is run again', async (_, isLast) => {
  const killed = (log: LogPort): LogPort => ({
    ...log,
    append: async (block) => {
      if (isLast(block)) throw new Error('killed')
      return log.append(block)
    },
  })
  const mirror = await everything()
  await expect(putBack(killed)).rejects.toThrow('killed')
  await expect(start()).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('not finished') })
  await storage.close()
  await open()
  let merged: Merged = new Map()
  const recordAgain = async (again: Merged) => {
    merged = again
  }
  await restoreLog({
    port: storage.log,
    witness,
    mirror,
    ...noRecords,
    recordMerged: recordAgain,
    clock,
    random: systemRandom,
    log: silentLog,
  })
  expect(merged.size).toBeGreaterThan(0)
  await storage.close()
  await start()
  clock.advance(7200)
  await goOn()
  expect(await invitedBy(mallory)).not.toBe('done')
})
