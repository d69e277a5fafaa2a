import { expect, test } from 'vitest'
import { aHandle, end, openLogs } from './open-logs.js'

test('what was acknowledged before a fence was asked for is applied by it', async () => {
  await using logs = await openLogs()
  const [one, other] = [await logs.open(), await logs.open()]
  for (let turn = 0; turn < 20; turn++) {
    const handle = aHandle()
    await end(one, handle)
    await other.readBarrier()
    expect(other.ended.has(handle)).toBe(true)
  }
})

test('a request that comes while the log is being read waits for another read', async () => {
  await using logs = await openLogs()
  const writer = await logs.open()
  let answer = () => {}
  let isHeld = false
  // The head is read, and its answer held back: the ending falls in between.
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const result = await work()
    if (name === 'log.head' && isHeld) {
      isHeld = false
      await new Promise<void>((resolve) => {
        answer = resolve
      })
    }
    return result
  }
  const reader = await logs.open({ gate })
  isHeld = true
  const early = reader.readBarrier()
  await turns()
  const handle = aHandle()
  await end(writer, handle)
  const late = reader.readBarrier()
  answer()
  await early
  await late
  expect(reader.ended.has(handle)).toBe(true)
})

test('requests that wait share one read of the log', async () => {
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

test('a log that cannot be read in time is answered with standing_unknown', async () => {
  await using logs = await openLogs()
  let isDown = false
  const gate = <T>(name: string, work: () => Promise<T>): Promise<T> => (isDown && name === 'log.head' ? new Promise<T>(() => {}) : work())
  const log = await logs.open({ gate })
  isDown = true
  const fence = log.readBarrier()
  await turns()
  logs.clock.advance(3)
  await expect(fence).rejects.toMatchObject({ reason: 'standing_unknown', detail: { retryAfterSeconds: 1 } })
  isDown = false
  // What was asked meanwhile still hangs, and gives up in its time.
  const again = log.readBarrier().catch(() => log.readBarrier())
  await turns()
  logs.clock.advance(3)
  await expect(again).resolves.toMatchObject({ at: 0 })
})

test('an error of the store is answered with standing_unknown', async () => {
  await using logs = await openLogs()
  const store = { isDown: false }
  const log = await logs.open({ gate: downAt(store) })
  store.isDown = true
  await expect(log.readBarrier()).rejects.toMatchObject({ reason: 'standing_unknown' })
  store.isDown = false
})

test('a store that is behind what was read from it is not answered from', async () => {
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

test('a block that is not the one that was read is not answered from, ever', async () => {
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

test('an answer that takes long is decided once more, then refused', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  let times = 0
  const slowly = (seconds: number, often: number) =>
    log.afterBarrier(async () => {
      times++
      if (times <= often) logs.clock.advance(seconds)
      return 'decided'
    })
  expect(await slowly(0.25, 9)).toBe('decided')
  expect(times).toBe(1)
  times = 0
  expect(await slowly(0.26, 1)).toBe('decided')
  expect(times).toBe(2)
  times = 0
  await expect(slowly(0.26, 9)).rejects.toMatchObject({ reason: 'standing_unknown' })
  expect(times).toBe(2)
})

test('what goes on beside a fence is waited for; where it takes long the log is read anew before anything is decided', async () => {
  await using logs = await openLogs()
  const [writer, log] = [await logs.open(), await logs.open()]
  const handle = aHandle()
  const besides = async (seconds: number) => {
    let times = 0
    let done = () => {}
    const beside = new Promise<void>((resolve) => {
      done = resolve
    })
    const decided = log.afterBarrier(async () => {
      times++
      return log.ended.has(handle)
    }, beside)
    await turns()
    expect(times).toBe(0)
    if (seconds > 0) await end(writer, handle)
    logs.clock.advance(seconds)
    done()
    return [await decided, times]
  }
  expect(await besides(0)).toEqual([false, 1])
  expect(await besides(9)).toEqual([true, 1])
})

test('what fails beside a fence fails the decision, also where it is heard late', async () => {
  await using logs = await openLogs()
  const store = { isDown: false }
  const log = await logs.open({ gate: downAt(store) })
  const failing = () => log.afterBarrier(async () => 'decided', Promise.reject(new Error('not spent')))
  await expect(failing()).rejects.toThrow('not spent')
  store.isDown = true
  await expect(failing()).rejects.toMatchObject({ reason: 'standing_unknown' })
  store.isDown = false
})

test('what a fence says of the time is the later of the clock, as it was before, and log time', async () => {
  await using logs = await openLogs()
  const ahead = { ...logs.clock, now: () => logs.clock.now() + 3 }
  const [fast, slow] = [await logs.open({ clock: ahead }), await logs.open()]
  await end(fast, aHandle())
  expect((await slow.readBarrier()).now).toBe(logs.clock.now() + 3)
  logs.clock.advance(10)
  expect((await slow.readBarrier()).now).toBe(logs.clock.now())
})

test('listeners are told of every block once, in order, whoever wrote it', async () => {
  await using logs = await openLogs()
  const [one, other] = [await logs.open(), await logs.open()]
  const told: number[] = []
  other.onApplied(({ first, last, entries }) => {
    for (let seq = first; seq <= last; seq++) told.push(seq)
    expect(entries.map((entry) => entry.seq)).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
  })
  other.onApplied(() => {
    throw new Error('a listener with a bug')
  })
  await Promise.all(Array.from({ length: 30 }, (_, i) => end(i % 2 ? one : other, aHandle())))
  const { at } = await other.readBarrier()
  expect(told).toEqual(Array.from({ length: at }, (_, i) => i + 1))
})

test('an instance that starts later has the same ended set, position and time', async () => {
  await using logs = await openLogs()
  const one = await logs.open()
  for (let turn = 0; turn < 10; turn++) {
    await end(one, aHandle('ver'), aHandle('agt'), { handle: aHandle('tok'), horizon: logs.clock.now() + 300 })
    logs.clock.advance(700)
  }
  const later = await logs.open()
  const sorted = (log: typeof one) => ({
    ...log.snapshot(),
    ended: [...log.snapshot().ended].sort((a, b) => (a.handle < b.handle ? -1 : 1)),
  })
  expect(sorted(later)).toEqual(sorted(one))
  expect(later.snapshot().ended.length).toBeLessThan(30)
})

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Its head cannot be read while it is down. */
const downAt =
  (store: { isDown: boolean }) =>
  async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (store.isDown && name === 'log.head') throw new Error('down')
    return work()
  }
