import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { describe, expect, test } from 'vitest'
import type { AccessTokenClaims } from '../../src/protocol/claims.js'
import { TASK_BINDING_SECONDS } from '../../src/protocol/task-binding.js'
import { openVerifierStore } from '../../src/storage/sqlite/verifier-store.js'
import { bind, mayAccess } from '../../src/verifier/a2a/task-bindings.js'
import { memoryStores, type ReplayStore, type TaskBinding, type TaskBindingStore } from '../../src/verifier/stores.js'
import { type SetClock, setClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'

interface Stores extends AsyncDisposable {
  readonly replay: ReplayStore
  readonly taskBindings: TaskBindingStore
  readonly clock: SetClock
}
const inMemory = async (): Promise<Stores> => {
  const clock = setClock()
  return { ...memoryStores(clock), clock, [Symbol.asyncDispose]: async () => {} }
}
const inFile = async (): Promise<Stores> => {
  const [clock, folder] = [setClock(), await tempFolder()]
  const store = openVerifierStore(join(folder.path, 'verifier.db'), clock.now)
  return {
    ...store,
    clock,
    [Symbol.asyncDispose]: async () => {
      store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
const bindingOf = (sub: string): TaskBinding => ({ ancestors: [], sub })
const DAY = 86_400

describe.each([
  ['in memory', inMemory],
  ['in a file', inFile],
])('stores %s', (_, open) => {
  test('the first binding of an id stays while it is used, and is removed when it has not been used for TASK_BINDING_SECONDS', async () => {
    await using stores = await open()
    const { taskBindings, clock } = stores
    expect(await taskBindings.bind('a', bindingOf('one'))).toEqual(bindingOf('one'))
    expect(await taskBindings.bind('a', bindingOf('two'))).toEqual(bindingOf('one'))
    for (let month = 0; month < 4; month++) {
      clock.advance(TASK_BINDING_SECONDS - 2 * DAY)
      expect(await taskBindings.bind('a', bindingOf('three'))).toEqual(bindingOf('one'))
    }
    // A look-up does not count as use.
    clock.advance(TASK_BINDING_SECONDS - 2 * DAY)
    expect(await taskBindings.find('a')).toEqual(bindingOf('one'))
    clock.advance(2 * DAY)
    expect(await taskBindings.find('a')).toBeUndefined()
    expect(await taskBindings.bind('a', bindingOf('two'))).toEqual(bindingOf('two'))
  })

  test('a consumed name stays consumed until it expires', async () => {
    await using stores = await open()
    const { replay, clock } = stores
    expect(await replay.consume('p', clock.now() + 100)).toBe(true)
    clock.advance(99)
    expect(await replay.consume('p', clock.now() + 100)).toBe(false)
  })
})

test.each([
  ['in memory', inMemory],
  ['in a file', inFile],
])('a store %s counts to the limit of each token, of twenty at once, and forgets the count after its expiry', async (_, open) => {
  await using stores = await open()
  const { replay, clock } = stores
  const count = async (name: string, limit: number) => replay.count?.(name, limit, clock.now() + 100)
  const sums = await Promise.all(Array.from({ length: 20 }, () => count('tok_a', 3)))
  expect(sums.filter((sum) => sum !== undefined).sort()).toEqual([1, 2, 3])
  expect(await count('tok_b', 3)).toBe(1)
  clock.advance(99)
  expect(await count('tok_a', 3)).toBeUndefined()
  clock.advance(60)
  // Memory is swept once a minute, a file now and then
  for (let i = 0; i < 1000; i++) await replay.consume(`p ${i}`, clock.now() + 100)
  expect(await count('tok_a', 3)).toBe(1)
})

test('memory counts the calls of no more tokens than its bound', async () => {
  const clock = setClock()
  const { replay } = memoryStores(clock, { maxProofs: 2 })
  for (const name of ['tok_a', 'tok_b', 'tok_a']) await replay.count?.(name, 5, clock.now() + 100)
  await expect(replay.count?.('tok_c', 5, clock.now() + 100)).rejects.toMatchObject({ reason: 'unavailable' })
})

test('memory is bounded: the least recently used binding is evicted, but no proof before it expires', async () => {
  const clock = setClock()
  const { taskBindings, replay } = memoryStores(clock, { maxBindings: 3, maxProofs: 3 })
  for (const id of ['a', 'b', 'c']) await taskBindings.bind(id, bindingOf(id))
  await taskBindings.bind('a', bindingOf('x'))
  await taskBindings.bind('d', bindingOf('d'))
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (id) => (await taskBindings.find(id)) !== undefined))).toEqual([
    true,
    false,
    true,
    true,
  ])
  for (const name of ['key1 p', 'key2 p', 'key3 p']) await replay.consume(name, clock.now() + 100)
  await expect(replay.consume('key4 p', clock.now() + 100)).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await replay.consume('key1 p', clock.now() + 100)).toBe(false)
  clock.advance(101)
  expect(await replay.consume('key4 p', clock.now() + 100)).toBe(true)
})

test('a caller that sends more proofs than its share gets rate_limited, others are served, and expired proofs make room for it', async () => {
  const clock = setClock()
  const { replay } = memoryStores(clock, { maxProofs: 1000 })
  const consume = (name: string) => replay.consume(name, clock.now() + 100)
  for (let n = 0; n < 500; n++) expect(await consume(`greedy ${n}`)).toBe(true)
  await expect(consume('greedy 500')).rejects.toMatchObject({ reason: 'rate_limited', retryAfterSeconds: 60 })
  expect(await consume('greedy 1').catch(() => 'refused')).toBe(false)
  for (let n = 0; n < 200; n++) expect(await consume(`modest ${n}`)).toBe(true)
  await expect(consume('greedy 500')).rejects.toMatchObject({ reason: 'rate_limited' })
  clock.advance(101)
  for (let n = 0; n < 500; n++) expect(await consume(`greedy ${n}`)).toBe(true)
})

test('reading a binding of another caller does not keep it, reading an own one does', async () => {
  const clock = setClock()
  const { taskBindings } = memoryStores(clock)
  const [one, two] = [{ sub: 'one' } as AccessTokenClaims, { sub: 'two' } as AccessTokenClaims]
  await bind(taskBindings, 'a', one)
  clock.advance(TASK_BINDING_SECONDS - DAY)
  expect(await mayAccess(taskBindings, 'a', one)).toBe(true)
  clock.advance(TASK_BINDING_SECONDS - DAY)
  expect(await mayAccess(taskBindings, 'a', two)).toBe(false)
  clock.advance(DAY)
  expect(await mayAccess(taskBindings, 'a', one)).toBe(false)
})

test('a file does not grow without bound: expired rows make room for new ones', async () => {
  await using folder = await tempFolder()
  const clock = setClock()
  const file = join(folder.path, 'verifier.db')
  const month = async () => {
    const { taskBindings, replay, close } = openVerifierStore(file, clock.now)
    const db = new DatabaseSync(file)
    // Rows are inserted directly, because each call of the store is a durable write.
    db.exec('BEGIN')
    const insert = db.prepare('INSERT INTO task_bindings (id, binding, expires) VALUES (?, ?, ?)')
    for (let i = 0; i < 3000; i++) insert.run(`${clock.now()} ${i} ${'x'.repeat(100)}`, '{}', clock.now() + TASK_BINDING_SECONDS)
    db.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    await taskBindings.bind('t', bindingOf('t'))
    await replay.consume(`${clock.now()}`, clock.now() + 100)
    close()
    clock.advance(TASK_BINDING_SECONDS + 1)
    return statSync(file).size
  }
  const first = await month()
  let last = first
  for (let i = 0; i < 5; i++) last = await month()
  expect(last).toBeLessThan(first * 2)
})

test('an id longer than 256 characters is not bound and takes no memory', async () => {
  const { taskBindings } = memoryStores(setClock())
  const claims = { sub: 'one' } as AccessTokenClaims
  const id = 'x'.repeat(100_000)
  expect(await bind(taskBindings, id, claims)).toBe(false)
  expect(await mayAccess(taskBindings, id, claims)).toBe(false)
  expect(await taskBindings.find(id)).toBeUndefined()
})

test('the store file of an earlier release is refused and stays as it is', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'verifier.db')
  const earlier = new DatabaseSync(file)
  earlier.exec('CREATE TABLE spent (name TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID')
  earlier.close()
  expect(() => openVerifierStore(file, () => 0)).toThrow(/written by an earlier release/)
  const after = new DatabaseSync(file)
  expect(after.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()).toEqual([{ name: 'spent' }])
  after.close()
})
