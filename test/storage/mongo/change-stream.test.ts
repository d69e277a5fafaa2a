import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { newChangeNotifier } from '../../../src/storage/mongo/change-stream.js'

class Stream extends EventEmitter {
  isClosed = false
  async close(): Promise<void> {
    this.isClosed = true
  }
}

/** Counts the change streams that are opened, without a database. */
function setUp(ready: () => Promise<void> = async () => undefined) {
  const streams: Stream[] = []
  const watch = () => {
    streams.push(new Stream())
    return streams.at(-1)
  }
  const notified = { count: 0 }
  const notifier = newChangeNotifier({ watch } as never, ready)
  return { streams, notifier, notified, subscribe: () => notifier.onChange(() => void notified.count++) }
}
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('no stream is opened without listeners, and one stream serves all of them', async () => {
  const { streams, notifier, subscribe } = setUp()
  notifier.ensureWatching()
  await nextTurn()
  expect(streams).toHaveLength(0)
  subscribe()
  subscribe()
  notifier.ensureWatching()
  await nextTurn()
  notifier.ensureWatching()
  await nextTurn()
  expect(streams).toHaveLength(1)
})

test('a stream that failed is closed and replaced at the next call, and listeners are notified by both', async () => {
  const { streams, notifier, notified, subscribe } = setUp()
  subscribe()
  await nextTurn()
  streams[0]?.emit('change', {})
  streams[0]?.emit('error', new Error('the database is unreachable'))
  await nextTurn()
  expect([streams.length, streams[0]?.isClosed, notified.count]).toEqual([1, true, 1])
  notifier.ensureWatching()
  await nextTurn()
  // Blocks may have been appended before the stream was open
  streams[1]?.emit('resumeTokenChanged')
  streams[1]?.emit('resumeTokenChanged')
  streams[1]?.emit('change', {})
  // A late error of the first stream
  streams[0]?.emit('error', new Error('closed'))
  notifier.ensureWatching()
  await nextTurn()
  expect([streams.length, streams[1]?.isClosed, notified.count]).toEqual([2, false, 3])
})

test('if the collection is unreachable, the next call tries again', async () => {
  let isUnreachable = true
  const { streams, notifier, subscribe } = setUp(async () => {
    if (isUnreachable) throw new Error('unreachable')
  })
  subscribe()
  await nextTurn()
  isUnreachable = false
  notifier.ensureWatching()
  await nextTurn()
  expect(streams).toHaveLength(1)
})

test('after close no stream is opened, even if opening had begun', async () => {
  const { streams, notifier, subscribe } = setUp()
  subscribe()
  await notifier.close()
  await nextTurn()
  notifier.ensureWatching()
  await nextTurn()
  expect(streams).toHaveLength(0)
})
