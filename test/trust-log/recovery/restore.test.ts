// Restores a backup under a set clock, with a mirror of the whole log.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { Block, Entry } from '../../../src/protocol/log/entry.js'
import { type RunningServer, startServer } from '../../../src/server/server.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import type { LogPort, Storage } from '../../../src/storage/storage.js'
import { frontierOf, rootOf } from '../../../src/trust-log/proofs/leaf.js'
import type { MirrorCheckpoint } from '../../../src/trust-log/recovery/mirror-proof.js'
import { type ReplayedRevocations, restoreLog } from '../../../src/trust-log/recovery/restore.js'
import { LogHead, type WitnessStore } from '../../../src/trust-log/witness/witness.js'
import { freePort } from '../../free-port.mjs'
import { type Actor, aName, type Cast, newCast } from '../../registry.js'
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
  const deps = { storage, clock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', port, adminPort: 0, witness }
  server = await startServer(deps)
  return { issuer, firstCode: server.firstCode ?? '' }
}
const stop = async () => {
  await server.close()
  await storage.close()
}
const tryInvite = async (actor: Actor) => reasonOf(cast.as(actor).mutate('members.invite', { orgId: acme.orgId, role: 'administrator' }))

beforeEach(async () => {
  folder = await tempFolder()
  clock = setClock()
  port = await freePort()
  let witnessed: LogHead | undefined
  witness = {
    name: 'a variable',
    emptyText: 'the witness has no head',
    read: async () => witnessed,
    write: async (head) => {
      witnessed = head
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

/** Takes the ending of a role out of the mirror: the entry before the last, so that the last one still is the witness's. */
const withoutEnding = (mirror: readonly Entry[]): readonly Entry[] =>
  mirror.map((entry) => (entry.type === 'record.changed' && entry.seq !== mirror.length - 1 ? { ...entry, ends: [] } : entry))

/** Puts the backup back and restores it with this mirror. Returns the result, or the text of the refusal. */
async function restoreWith(options: {
  readonly mirror: readonly Entry[]
  readonly witness?: WitnessStore
  readonly mirrorCheckpoint?: MirrorCheckpoint
}): Promise<{ readonly text: string; readonly blocks: readonly [before: number, after: number]; readonly unproven: unknown }> {
  await copyFile(file('backup.db'), file('store.db'))
  await open()
  const count = async () => ((await storage.log.head())?.n ?? -1) + 1
  const before = await count()
  const deps = { witness, ...noRecords, clock, random: systemRandom, log: silentLog, ...options }
  const restored = await restoreLog({ port: storage.log, ...deps }).catch((error: unknown) => String(error))
  const blocks = [before, await count()] as const
  await storage.close()
  return typeof restored === 'string'
    ? { text: restored, blocks, unproven: undefined }
    : { text: 'done', blocks, unproven: restored.unprovenEntries }
}

describe('a mirror that was changed in its middle', () => {
  let mirror: readonly Entry[]
  let checkpoint: MirrorCheckpoint
  /** The witness as an earlier release has written it. */
  let rootless: WitnessStore
  let first: number
  beforeEach(async () => {
    first = (await readMirror()).length - 1
    await appendEntry()
    mirror = await readMirror()
    const head = await storage.log.head()
    if (head === undefined) throw new Error('the log is empty')
    checkpoint = { epoch: head.epoch, size: head.size, root: rootOf(frontierOf(head)), isSigned: true }
    await stop()
    const { root: _, ...witnessed } = (await witness.read()) ?? {}
    rootless = { ...witness, read: async () => LogHead.parse(witnessed) }
  })
  afterEach(async () => {
    await copyFile(file('backup.db'), file('store.db'))
    await open()
    await restoreLog({ port: storage.log, witness, mirror, ...noRecords, clock, random: systemRandom, log: silentLog })
    await storage.close()
    await start()
  })

  test('is refused, because the witness has another root, and nothing is written', async () => {
    const { text, blocks } = await restoreWith({ mirror: withoutEnding(mirror) })
    expect(text).toMatch(/the mirror was changed: its entries \d+–\d+ have another root than the witness has/)
    expect(blocks[1]).toBe(blocks[0])
  })

  test.each([true, false])('is refused, because its checkpoint has another root (signed: %s)', async (isSigned) => {
    const options = { witness: rootless, mirrorCheckpoint: { ...checkpoint, isSigned } }
    expect((await restoreWith({ ...options, mirror: withoutEnding(mirror) })).text).toContain('have another root than its checkpoint')
    // The witness's entry is there, but the checkpoint signs one more
    const longer = { ...checkpoint, size: checkpoint.size + 1 }
    expect((await restoreWith({ ...options, mirror, mirrorCheckpoint: longer })).text).toContain('lacks entries that its checkpoint signs')
  })

  test('is named as not checked, if only an unsigned checkpoint or the last entry could show it', async () => {
    const unproven = { from: first, to: mirror.length - 1 }
    expect(await restoreWith({ mirror, witness: rootless })).toMatchObject({ text: 'done', unproven })
    const unsigned = { ...checkpoint, isSigned: false }
    expect(await restoreWith({ mirror, witness: rootless, mirrorCheckpoint: unsigned })).toMatchObject({ text: 'done', unproven })
    expect(await restoreWith({ mirror, witness: rootless, mirrorCheckpoint: checkpoint })).toMatchObject({
      text: 'done',
      unproven: undefined,
    })
  })

  test('is refused by the commitment of the next epoch, too', async () => {
    await copyFile(file('backup.db'), file('store.db'))
    await open()
    await restoreLog({ port: storage.log, witness, mirror, ...noRecords, clock, random: systemRandom, log: silentLog })
    const whole = await readMirror()
    await storage.close()
    const changed = withoutEnding(whole)
    expect((await restoreWith({ mirror: changed, witness: rootless })).text).toMatch(
      /the mirror was changed before entry \d+, which commits/,
    )
    expect(await restoreWith({ mirror: whole })).toMatchObject({ text: 'done', unproven: undefined })
    mirror = whole
  })
})

const readMirror = async (): Promise<readonly Entry[]> => (await storage.log.read(0, 10_000)).flatMap(({ entries }) => entries)

/** Stops the server, puts the backup back, and restores it with a complete mirror. */
async function restoreBackup(wrapPort: (port: LogPort) => LogPort = (port) => port): Promise<unknown> {
  const mirror = await readMirror()
  await stop()
  await copyFile(file('backup.db'), file('store.db'))
  await open()
  const deps = { witness, mirror, ...noRecords, clock, random: systemRandom, log: silentLog }
  try {
    return await restoreLog({ port: wrapPort(storage.log), ...deps })
  } finally {
    await storage.close()
  }
}
/** Appends an entry, which moves log time to the clock. */
const appendEntry = () => cast.as(acme).mutate('agents.register', { name: aName('x'), ceiling: {} })

test.each([
  ['before the restore', 7200, 0],
  ['after the restore', 0, 7200],
])('a demoted administrator remains demoted, although the log forgot the ended version %s', async (_, before, after) => {
  clock.advance(before)
  await appendEntry()
  expect(await restoreBackup()).toMatchObject({ reachesWitness: true, quarantined: 0 })
  await start()
  clock.advance(after)
  await appendEntry()
  expect(await tryInvite(mallory)).toBe('invalid_client')
  expect(await tryInvite(acme)).toBe('done')
})

test('a revoked agent counts as revoked even if a suspension follows in the log', async () => {
  const mirror = await readMirror()
  const last = mirror.at(-1)
  if (last === undefined) throw new Error('the log is empty')
  const handle = aHandle('agt')
  const later = (['agent.suspended', 'agent.revoked', 'agent.suspended'] as const).map(
    (type, i): Entry => ({ ...last, id: anEntryId(), seq: last.seq + 1 + i, type, ends: [{ handle }] }),
  )
  await stop()
  await copyFile(file('backup.db'), file('store.db'))
  await open()
  let type: string | undefined
  const replayRevocations = async (replayed: ReplayedRevocations) => {
    type = replayed.get(handle)?.type
  }
  const deps = { witness, ...noRecords, clock, random: systemRandom, log: silentLog }
  await restoreLog({ port: storage.log, ...deps, mirror: [...mirror, ...later], replayRevocations })
  await storage.close()
  await start()
  expect(type).toBe('agent.revoked')
})

test.each<[string, (block: Block) => boolean]>([
  ['before the new epoch', ({ entries }) => entries[0]?.type === 'epoch.started'],
  ['before the last entry of the new epoch', ({ writer }) => writer === 'restore'],
])('a store whose restore was interrupted %s is not served until the restore is repeated', async (_, failsAt) => {
  const interrupted = (log: LogPort): LogPort => ({
    ...log,
    append: async (appending) => {
      if (failsAt(appending.blockOf([0]))) throw new Error('interrupted')
      return log.append(appending)
    },
  })
  const mirror = await readMirror()
  await expect(restoreBackup(interrupted)).rejects.toThrow('interrupted')
  await expect(start()).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('was interrupted') })
  await storage.close()
  await open()
  let replayed: ReplayedRevocations = new Map()
  const replayRevocations = async (revocations: ReplayedRevocations) => {
    replayed = revocations
  }
  await restoreLog({
    port: storage.log,
    witness,
    mirror,
    ...noRecords,
    replayRevocations,
    clock,
    random: systemRandom,
    log: silentLog,
  })
  expect(replayed.size).toBeGreaterThan(0)
  await storage.close()
  await start()
  clock.advance(7200)
  await appendEntry()
  expect(await tryInvite(mallory)).toBe('invalid_client')
})
