import { expect, test } from 'vitest'
import type { Barrier } from '../../src/protocol/standing.js'
import { aHandle, end, openLogs } from './open-logs.js'

test('a read barrier applies everything that was acknowledged before the call', async () => {
  await using logs = await openLogs()
  const [first, second] = [await logs.open(), await logs.open()]
  for (let turn = 0; turn < 20; turn++) {
    const handle = aHandle()
    await end(first, handle)
    await second.readBarrier()
    expect(second.ended.has(handle)).toBe(true)
  }
})

test('a call that arrives during a read of the log waits for the next read', async () => {
  await using logs = await openLogs()
  const writer = await logs.open()
  let respond = () => {}
  let isDelayed = false
  let heads = 0
  // The head is read, but its response is delayed. Meanwhile another instance appends the ending.
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const result = await work()
    if (name === 'log.head') heads++
    if (name === 'log.head' && isDelayed) {
      isDelayed = false
      await new Promise<void>((resolve) => {
        respond = resolve
      })
    }
    return result
  }
  const reader = await logs.open({ gate })
  heads = 0
  isDelayed = true
  const early = reader.readBarrier()
  await turns()
  const handle = aHandle()
  await end(writer, handle)
  const late = reader.readBarrier()
  respond()
  await early
  await late
  expect(reader.ended.has(handle)).toBe(true)
  // The reader may have been notified of the ending, so the reads are counted too
  expect(heads).toBe(2)
})

test('50 concurrent calls share reads of the log', async () => {
  await using logs = await openLogs()
  let heads = 0
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (name === 'log.head') heads++
    return work()
  }
  const log = await logs.open({ gate })
  heads = 0
  await Promise.all(Array.from({ length: 50 }, () => log.readBarrier()))
  expect(heads).toBeLessThan(4)
})

test('a read of the log that takes too long is refused with standing_unknown', async () => {
  await using logs = await openLogs()
  let isDown = false
  const gate = <T>(name: string, work: () => Promise<T>): Promise<T> => (isDown && name === 'log.head' ? new Promise<T>(() => {}) : work())
  const log = await logs.open({ gate })
  isDown = true
  const barrier = log.readBarrier()
  await turns()
  logs.clock.advance(3)
  await expect(barrier).rejects.toMatchObject({ reason: 'standing_unknown', detail: { retryAfterSeconds: 1 } })
  isDown = false
  // The pending read still hangs, and fails when its time is over.
  const again = log.readBarrier().catch(() => log.readBarrier())
  await turns()
  logs.clock.advance(3)
  await expect(again).resolves.toMatchObject({ seq: 0 })
})

test('an error of the store is refused with standing_unknown', async () => {
  await using logs = await openLogs()
  const store = { isDown: false }
  const log = await logs.open({ gate: downAt(store) })
  store.isDown = true
  await expect(log.readBarrier()).rejects.toMatchObject({ reason: 'standing_unknown' })
  store.isDown = false
})

test('a store that has lost blocks which were read before is refused with standing_unknown', async () => {
  await using logs = await openLogs()
  let isRolledBack = false
  const log = await logs.open({
    storage: {
      ...logs.storage,
      log: { ...logs.storage.log, head: async () => (isRolledBack ? (await logs.storage.log.read(0, 1))[0] : logs.storage.log.head()) },
    },
  })
  await end(log, aHandle())
  await log.readBarrier()
  isRolledBack = true
  await expect(log.readBarrier()).rejects.toMatchObject({ reason: 'standing_unknown' })
})

test('after the head block was replaced by another, every call is refused with standing_unknown', async () => {
  await using logs = await openLogs()
  let isForged = false
  const forge = async () => {
    const head = await logs.storage.log.head()
    return head && isForged
      ? { ...head, frontier: head.frontier.map((hash) => `${hash.startsWith('A') ? 'B' : 'A'}${hash.slice(1)}`) }
      : head
  }
  const log = await logs.open({ storage: { ...logs.storage, log: { ...logs.storage.log, head: forge } } })
  await end(log, aHandle())
  await log.readBarrier()
  isForged = true
  await expect(log.readBarrier()).rejects.toMatchObject({ reason: 'standing_unknown' })
  isForged = false
  await expect(log.readBarrier()).rejects.toMatchObject({ reason: 'standing_unknown' })
})

test('a decision that takes longer than 250 ms is repeated once, and then refused', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  let times = 0
  const decideSlowly = (seconds: number, slowTimes: number) =>
    log.afterBarrier(undefined, async () => {
      times++
      if (times <= slowTimes) logs.clock.advance(seconds)
      return 'decided'
    })
  expect(await decideSlowly(0.25, 9)).toBe('decided')
  expect(times).toBe(1)
  times = 0
  expect(await decideSlowly(0.26, 1)).toBe('decided')
  expect(times).toBe(2)
  times = 0
  await expect(decideSlowly(0.26, 9)).rejects.toMatchObject({ reason: 'standing_unknown' })
  expect(times).toBe(2)
})

test('a barrier that was taken for the request is used, unless it is too old', async () => {
  await using logs = await openLogs()
  let heads = 0
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (name === 'log.head') heads++
    return work()
  }
  const log = await logs.open({ gate })
  const taken = await log.readBarrier()
  heads = 0
  const decide = async ({ startedMs }: Barrier) => startedMs
  expect(await log.afterBarrier(taken, decide)).toBe(taken.startedMs)
  expect(heads).toBe(0)
  logs.clock.advance(0.2)
  expect(await log.afterBarrier(taken, decide)).toBeGreaterThan(taken.startedMs)
  expect(heads).toBe(1)
})

test('a decision waits for its prerequisite, and if that takes long, the log is read again first', async () => {
  await using logs = await openLogs()
  const [writer, log] = [await logs.open(), await logs.open()]
  const handle = aHandle()
  const decideAfter = async (seconds: number) => {
    let times = 0
    let done = () => {}
    const prerequisite = new Promise<void>((resolve) => {
      done = resolve
    })
    const decided = log.afterBarrier(
      undefined,
      async () => {
        times++
        return log.ended.has(handle)
      },
      prerequisite,
    )
    await turns()
    expect(times).toBe(0)
    if (seconds > 0) await end(writer, handle)
    logs.clock.advance(seconds)
    done()
    return [await decided, times]
  }
  expect(await decideAfter(0)).toEqual([false, 1])
  expect(await decideAfter(9)).toEqual([true, 1])
})

test('a prerequisite that fails makes the decision fail, even if the log cannot be read', async () => {
  await using logs = await openLogs()
  const store = { isDown: false }
  const log = await logs.open({ gate: downAt(store) })
  const failing = () => log.afterBarrier(undefined, async () => 'decided', Promise.reject(new Error('not spent')))
  await expect(failing()).rejects.toThrow('not spent')
  store.isDown = true
  await expect(failing()).rejects.toMatchObject({ reason: 'standing_unknown' })
  store.isDown = false
})

test('the time of a barrier is the later of the clock before the read and log time', async () => {
  await using logs = await openLogs()
  const ahead = { ...logs.clock, now: () => logs.clock.now() + 3 }
  const [fast, slow] = [await logs.open({ clock: ahead }), await logs.open()]
  await end(fast, aHandle())
  expect((await slow.readBarrier()).now).toBe(logs.clock.now() + 3)
  logs.clock.advance(10)
  expect((await slow.readBarrier()).now).toBe(logs.clock.now())
})

test('listeners get every block once and in order, whichever instance wrote it', async () => {
  await using logs = await openLogs()
  const [first, second] = [await logs.open(), await logs.open()]
  const seqs: number[] = []
  second.onApplied(({ first, last, entries }) => {
    for (let seq = first; seq <= last; seq++) seqs.push(seq)
    expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
  })
  second.onApplied(() => {
    throw new Error('a listener with a bug')
  })
  await Promise.all(Array.from({ length: 30 }, (_, i) => end(i % 2 ? first : second, aHandle())))
  const { seq } = await second.readBarrier()
  expect(seqs).toEqual(Array.from({ length: seq }, (_, i) => i + 1))
})

test('an instance that starts later has the same ended set, position and time', async () => {
  await using logs = await openLogs()
  const instance = await logs.open()
  for (let turn = 0; turn < 10; turn++) {
    await end(instance, aHandle('ver'), aHandle('agt'), { handle: aHandle('tok'), horizon: logs.clock.now() + 300 })
    logs.clock.advance(700)
  }
  const later = await logs.open()
  const sorted = (log: typeof instance) => ({
    ...log.snapshot(),
    ended: [...log.snapshot().ended].sort((a, b) => (a.handle < b.handle ? -1 : 1)),
  })
  expect(sorted(later)).toEqual(sorted(instance))
  expect(later.snapshot().ended.length).toBeLessThan(30)
})

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A gate that fails every read of the head while the store is down. */
const downAt =
  (store: { isDown: boolean }) =>
  async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (store.isDown && name === 'log.head') throw new Error('down')
    return work()
  }
