import { expect, test } from 'vitest'
import type { Block } from '../../src/protocol/log/entry.js'
import { aHandle, anEntryId, end, openLogs, write } from './open-logs.js'

const blocksOf = (logs: Awaited<ReturnType<typeof openLogs>>) => logs.storage.log.read(0, 1000)
const entriesIn = (blocks: readonly Block[]) => blocks.flatMap((block) => block.entries)

test('one of three instances that start at the same time starts the log, and all share its epoch', async () => {
  await using logs = await openLogs()
  const all = await Promise.all([logs.open(), logs.open(), logs.open()])
  const blocks = await blocksOf(logs)
  expect(blocks.map((block) => block.n)).toEqual([0])
  expect(entriesIn(blocks)).toMatchObject([{ seq: 0, type: 'epoch.started', ends: [] }])
  expect(blocks[0]?.epoch).toBe(all[0].epoch)
  expect(new Set(all.map((log) => log.epoch)).size).toBe(1)
})

test('entries of concurrent writers are in the log once each, numbered without a gap', async () => {
  await using logs = await openLogs()
  const all = await Promise.all([logs.open(), logs.open(), logs.open()])
  const handles = Array.from({ length: 60 }, () => aHandle())
  await Promise.all(handles.map((handle, i) => end(all[i % 3] ?? all[0], handle)))
  const entries = entriesIn(await blocksOf(logs))
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, i) => i))
  expect(entries.flatMap((entry) => entry.ends.map((ending) => ending.handle)).sort()).toEqual([...handles].sort())
})

test('groups that wait while a block is written share the next block', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  await Promise.all(Array.from({ length: 50 }, () => end(log, aHandle())))
  expect((await blocksOf(logs)).length).toBeLessThan(6)
})

test('an acknowledged ending is applied by the next read barrier of every instance', async () => {
  await using logs = await openLogs()
  const [first, second] = [await logs.open(), await logs.open()]
  const handle = aHandle()
  const { position } = await end(first, handle)
  const barrier = await second.readBarrier()
  expect(second.ended.has(handle)).toBe(true)
  expect(barrier.position).toBe(position)
})

test('a write that depends on a handle which another instance has ended is refused', async () => {
  await using logs = await openLogs()
  const [first, second] = [await logs.open(), await logs.open()]
  const task = aHandle('tsk')
  await end(first, task)
  expect(await write(second, { dependsOn: [task] })).toEqual({ outcome: 'dependencyEnded' })
  expect(entriesIn(await blocksOf(logs))).toHaveLength(2)
})

test('a write never follows the ending of its dependency, even if both wait for the same block', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  for (let turn = 0; turn < 10; turn++) {
    const [task, id] = [aHandle('tsk'), anEntryId()]
    const [, written] = await Promise.all([end(log, task), write(log, { dependsOn: [task], id })])
    const entries = entriesIn(await blocksOf(logs))
    const ended = entries.findIndex((entry) => entry.ends.some((ending) => ending.handle === task))
    const at = entries.findIndex((entry) => entry.id === id)
    expect(at === -1 ? written.outcome === 'dependencyEnded' : at < ended).toBe(true)
  }
})

test('log time never falls, whichever instance writes', async () => {
  await using logs = await openLogs()
  const ahead = { ...logs.clock, now: () => logs.clock.now() + 4 }
  const [fast, slow] = [await logs.open({ clock: ahead }), await logs.open()]
  await end(fast, aHandle())
  await end(slow, aHandle())
  await end(fast, aHandle())
  const times = entriesIn(await blocksOf(logs)).map((entry) => entry.time)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(slow.now()).toBe(logs.clock.now() + 4)
  expect((await slow.readBarrier()).now).toBe(logs.clock.now() + 4)
})

test.each([
  [
    'the response is lost',
    async <T>(work: () => Promise<T>) => {
      await work()
      throw new Error('lost')
    },
  ],
  [
    'the request is lost',
    async () => {
      throw new Error('lost')
    },
  ],
])('a commit is in the log once although %s', async (_what, lose) => {
  await using logs = await openLogs()
  let left = 1
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => (name === 'log.append' && left-- === 1 ? lose(work) : work())
  await logs.open()
  const log = await logs.open({ gate })
  const handle = aHandle()
  await end(log, handle)
  expect(entriesIn(await blocksOf(logs)).filter((entry) => entry.ends.some((ending) => ending.handle === handle))).toHaveLength(1)
  expect(log.ended.has(handle)).toBe(true)
})

test('a commit that succeeds after its time-out is in the log once', async () => {
  await using logs = await openLogs()
  await logs.open()
  let land = () => {}
  let isLate = true
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (name !== 'log.append' || !isLate) return work()
    isLate = false
    await new Promise<void>((resolve) => {
      land = resolve
    })
    return work()
  }
  const log = await logs.open({ gate })
  const handle = aHandle()
  const ending = end(log, handle)
  await turns()
  logs.clock.advance(6)
  land()
  await ending
  const entries = entriesIn(await blocksOf(logs)).filter((entry) => entry.ends.some((ended) => ended.handle === handle))
  expect(entries).toHaveLength(1)
  expect((await log.entries(1, 10)).map((entry) => entry.id)).toEqual(entries.map((entry) => entry.id))
})

test('a writer that loses the next block to another instance ten times is not refused, although its clock stands still', async () => {
  await using logs = await openLogs()
  const other = await logs.open()
  let losses = 10
  const log = await logs.open({
    gate: async (name, work) => {
      if (name === 'log.append' && losses-- > 0) await end(other, aHandle())
      return work()
    },
  })
  const handle = aHandle()
  await end(log, handle)
  expect(losses).toBeLessThan(0)
  expect(log.ended.has(handle)).toBe(true)
})

test('a write that was decided over a minute ago is refused', async () => {
  await using logs = await openLogs()
  let go = () => {}
  let isDelayed = false
  const gate = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    if (name !== 'log.append' || isDelayed) return work()
    isDelayed = true
    await new Promise<void>((resolve) => {
      go = resolve
    })
    throw new Error('lost')
  }
  await logs.open()
  const log = await logs.open({ gate })
  const refused = expect(write(log, { dependsOn: [aHandle('agt')] })).rejects.toMatchObject({ reason: 'standing_unknown' })
  await turns()
  logs.clock.advance(61)
  go()
  await refused
  expect(entriesIn(await blocksOf(logs))).toHaveLength(1)
})

test('an ending of more handles than fit in an entry is split, and is acknowledged when all are in the log', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const handles = Array.from({ length: 30_001 }, () => aHandle('int'))
  const { position } = await end(log, ...handles)
  expect(handles.every((handle) => log.ended.has(handle))).toBe(true)
  const blocks = await blocksOf(logs)
  expect(blocks.map((block) => block.entries.map(({ ends }) => ends.length))).toEqual([[0], [10_000, 10_000, 10_000, 1]])
  expect(position).toMatch(/\.4$/)
})

test('groups with many endings share a block of a bounded size', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const groups = Array.from({ length: 5 }, () => Array.from({ length: 9000 }, () => aHandle('int')))
  await Promise.all(groups.map((handles) => end(log, ...handles)))
  expect((await blocksOf(logs)).map(({ entries }) => entries.length)).toEqual([1, 2, 2, 1])
})

test('a read of entries is bounded by their endings, and the next read continues where it stopped', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  for (let i = 0; i < 4; i++) await end(log, ...Array.from({ length: 9000 }, () => aHandle('int')))
  const counts: number[] = []
  for (let seq = 0; seq < 5; ) {
    const entries = await log.entries(seq, 1000)
    counts.push(entries.length)
    seq += entries.length
  }
  expect(counts.length).toBeGreaterThan(1)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5)
})

test('a handle that has ended is not ended again', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const handle = aHandle()
  const first = await end(log, handle)
  expect(await end(log, handle, handle)).toEqual(first)
  expect(entriesIn(await blocksOf(logs))).toHaveLength(2)
})

test('the ended set drops a version an hour after it ended, and never drops an identity', async () => {
  await using logs = await openLogs()
  const [log, other] = [await logs.open(), await logs.open()]
  const [version, agent] = [aHandle('ver'), aHandle('agt')]
  await end(log, version, agent)
  logs.clock.advance(3600)
  await end(log, aHandle())
  expect(log.ended.has(version)).toBe(true)
  logs.clock.advance(120)
  await end(log, aHandle())
  await other.readBarrier()
  for (const instance of [log, other]) {
    expect(instance.ended.has(version)).toBe(false)
    expect(instance.ended.has(agent)).toBe(true)
  }
})

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}
