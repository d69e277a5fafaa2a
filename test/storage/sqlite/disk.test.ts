// The reserve for revocations, with an error "disk full" in place of a full disk. test/server/failing-disk.test.ts has a real one.
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { reasonOf } from '../../stories/actors.js'
import { tempFolder } from '../open-store.js'

const RESERVE_BYTES = 16 * 2 ** 20
const FULL = 13
const IO_ERROR = 10

/** A store whose next commits fail with the given codes of SQLite. */
async function failingStore() {
  const folder = await tempFolder()
  const reserve = join(folder.path, 'credence.reserve')
  const events: string[] = []
  let codes: number[] = []
  const storage = await openSqlite({
    file: join(folder.path, 'credence.db'),
    clock: systemClock,
    reserve,
    beforeCommit: () => {
      const sqliteCode = codes.shift()
      if (sqliteCode !== undefined) throw Object.assign(new Error(`code ${sqliteCode}`), { sqliteCode })
    },
    onFailure: () => events.push('failure'),
    onRecovery: () => events.push('recovery'),
    onReserve: (isKept) => events.push(isKept ? 'reserve kept' : 'reserve given up'),
  })
  return {
    storage,
    reserve,
    events,
    fail: (...next: number[]) => {
      codes = next
    },
    write: () => reasonOf(storage.count('a', 1, 100, systemClock.now() + 60)),
    [Symbol.asyncDispose]: async () => {
      await storage.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('a write that finds the disk full is done again once the reserve was given up, and the reserve is kept again later', async () => {
  await using store = await failingStore()
  await store.storage.probe?.()
  expect(statSync(store.reserve)).toMatchObject({ size: RESERVE_BYTES })
  expect(statSync(store.reserve).mode & 0o777).toBe(0o600)
  store.fail(FULL)
  expect(await store.write()).toBe('done')
  expect(existsSync(store.reserve)).toBe(false)
  expect(store.storage.state?.()).toMatchObject({ fault: undefined, reserveBytes: 0 })
  await store.storage.probe?.()
  expect(store.storage.state?.()).toMatchObject({ reserveBytes: RESERVE_BYTES, room: 'enough' })
  expect(store.events).toEqual(['reserve kept', 'reserve given up', 'reserve kept'])
  expect(await store.storage.count('a', 0, 100, 0)).toBe(1)
})

test('a reserve that a crash left incomplete is written again', async () => {
  await using folder = await tempFolder()
  const reserve = join(folder.path, 'credence.reserve')
  writeFileSync(reserve, 'x')
  const storage = await openSqlite({ file: join(folder.path, 'credence.db'), clock: systemClock, reserve })
  await storage.probe?.()
  expect(statSync(reserve).size).toBe(RESERVE_BYTES)
  await storage.close()
})

test('without a reserve, a full disk fails each write, is reported once, and a probe finds out that it is writable again', async () => {
  await using store = await failingStore()
  store.fail(FULL, FULL, FULL)
  expect([await store.write(), await store.write()]).toEqual(['unavailable', 'unavailable'])
  expect(store.storage.state?.().fault).toBe('the disk of the store is full: free space on it')
  expect(store.storage.state?.().needsRestart).toBe(false)
  store.fail()
  await store.storage.probe?.()
  expect(store.storage.state?.().fault).toBeUndefined()
  expect(store.events.filter((event) => !event.startsWith('reserve'))).toEqual(['failure', 'recovery'])
})

test('after any other failure of the disk every write is refused until the process starts again', async () => {
  await using store = await failingStore()
  store.fail(IO_ERROR)
  expect(await store.write()).toBe('unavailable')
  store.fail()
  expect(await store.write()).toBe('unavailable')
  await store.storage.probe?.()
  expect(store.storage.state?.()).toMatchObject({ needsRestart: true, fault: expect.stringContaining('code 10') })
})
