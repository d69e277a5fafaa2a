import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { describe, expect, test } from 'vitest'
import type { AccessTokenClaims } from '../../src/protocol/claims.js'
import { TASK_BINDING_SECONDS } from '../../src/protocol/task-binding.js'
import { openVerifierTables } from '../../src/storage/sqlite/verifier-store.js'
import { memoryStores, type ReplayStore, type TaskBinding, type TaskBindingStore } from '../../src/verifier/stores.js'
import { bind, mayAccess } from '../../src/verifier/task-bindings.js'
import { type SetClock, setClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'

interface Stores extends AsyncDisposable {
  readonly replay: ReplayStore
  readonly ties: TaskBindingStore
  readonly clock: SetClock
}
const inMemory = async (): Promise<Stores> => {
  const clock = setClock()
  return { ...memoryStores(clock), clock, [Symbol.asyncDispose]: async () => {} }
}
const inFile = async (): Promise<Stores> => {
  const [clock, folder] = [setClock(), await tempFolder()]
  const store = openVerifierTables(join(folder.path, 'callee.db'), clock.now)
  return {
    ...store,
    clock,
    [Symbol.asyncDispose]: async () => {
      store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
const tieOf = (sub: string): TaskBinding => ({ ancestors: [], sub })
const DAY = 86_400

describe.each([
  ['in memory', inMemory],
  ['in a file', inFile],
])('ties %s', (_, open) => {
  test('the first stays while it is used, and is forgotten when nobody has used it for so long', async () => {
    await using stores = await open()
    const { ties, clock } = stores
    expect(await ties.tie('a', tieOf('one'))).toEqual(tieOf('one'))
    expect(await ties.tie('a', tieOf('two'))).toEqual(tieOf('one'))
    // A look now and then is a use
    for (let month = 0; month < 4; month++) {
      clock.advance(TASK_BINDING_SECONDS - 2 * DAY)
      expect(await ties.find('a')).toEqual(tieOf('one'))
    }
    clock.advance(TASK_BINDING_SECONDS)
    expect(await ties.find('a')).toBeUndefined()
    expect(await ties.tie('a', tieOf('two'))).toEqual(tieOf('two'))
  })

  test('a used name is kept until it expires', async () => {
    await using stores = await open()
    const { replay, clock } = stores
    expect(await replay.spend('p', clock.now() + 100)).toBe(true)
    clock.advance(99)
    expect(await replay.spend('p', clock.now() + 100)).toBe(false)
  })
})

test('memory is bounded: the tie that nobody has used for longest goes, a proof never does before its time', async () => {
  const clock = setClock()
  const { ties, replay } = memoryStores(clock, { maxTies: 3, maxSpent: 3 })
  for (const id of ['a', 'b', 'c']) await ties.tie(id, tieOf(id))
  await ties.find('a')
  await ties.tie('d', tieOf('d'))
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (id) => (await ties.find(id)) !== undefined))).toEqual([true, false, true, true])
  for (const name of ['p', 'q', 'r']) await replay.spend(name, clock.now() + 100)
  await expect(replay.spend('s', clock.now() + 100)).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await replay.spend('p', clock.now() + 100)).toBe(false)
  clock.advance(101)
  expect(await replay.spend('s', clock.now() + 100)).toBe(true)
})

test('a file does not grow for ever: what expired makes room for what comes', async () => {
  await using folder = await tempFolder()
  const clock = setClock()
  const file = join(folder.path, 'callee.db')
  const month = async () => {
    const { ties, replay, close } = openVerifierTables(file, clock.now)
    const db = new DatabaseSync(file)
    // Below the door, for each call of it is a durable write
    db.exec('BEGIN')
    const insert = db.prepare('INSERT INTO ties (id, tie, expires) VALUES (?, ?, ?)')
    for (let i = 0; i < 3000; i++) insert.run(`${clock.now()} ${i} ${'x'.repeat(100)}`, '{}', clock.now() + TASK_BINDING_SECONDS)
    db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    await ties.tie('t', tieOf('t'))
    await replay.spend(`${clock.now()}`, clock.now() + 100)
    close()
    clock.advance(TASK_BINDING_SECONDS + 1)
    return statSync(file).size
  }
  const first = await month()
  let last = first
  for (let i = 0; i < 5; i++) last = await month()
  expect(last).toBeLessThan(first * 2)
})

test('a file from before ties were forgotten is taken up with its ties', async () => {
  await using folder = await tempFolder()
  const clock = setClock()
  const file = join(folder.path, 'callee.db')
  const old = new DatabaseSync(file)
  old.exec(`CREATE TABLE spent (name TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE ties (id TEXT PRIMARY KEY, tie TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO ties VALUES ('a', '{"ancestors":[],"sub":"one"}');`)
  old.close()
  const [store, replica] = [openVerifierTables(file, clock.now), openVerifierTables(file, clock.now)]
  expect(await replica.ties.tie('a', tieOf('two'))).toEqual(tieOf('one'))
  clock.advance(TASK_BINDING_SECONDS)
  expect(await store.ties.find('a')).toBeUndefined()
  store.close()
  replica.close()
})

test('an id that is longer than any server makes is nobody’s, and is not kept', async () => {
  const { ties } = memoryStores(setClock())
  const claims = { sub: 'one' } as AccessTokenClaims
  const id = 'x'.repeat(100_000)
  expect(await bind(ties, id, claims)).toBe(false)
  expect(await mayAccess(ties, id, claims)).toBe(false)
  expect(await ties.find(id)).toBeUndefined()
})
