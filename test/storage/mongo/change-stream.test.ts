import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { newChangeNotifier } from '../../../src/storage/mongo/change-stream.js'

class Stream extends EventEmitter {
  isClosed = false
  async close(): Promise<void> {
    this.isClosed = true
  }
}

/** Change streams as the driver gives them out; nothing of a database is needed to see when one is asked for. */
function setUp(ready: () => Promise<void> = async () => undefined) {
  const streams: Stream[] = []
  const watch = () => {
    streams.push(new Stream())
    return streams.at(-1)
  }
  const heard = { count: 0 }
  const bell = newChangeNotifier({ watch } as never, ready)
  return { streams, bell, heard, listen: () => bell.listen(() => void heard.count++) }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('nothing is watched for nobody; however many listen and tend, one stream is', async () => {
  const { streams, bell, listen } = setUp()
  bell.tend()
  await settled()
  expect(streams).toHaveLength(0)
  listen()
  listen()
  bell.tend()
  await settled()
  bell.tend()
  await settled()
  expect(streams).toHaveLength(1)
})

test('a stream that has ended is closed, and followed by another as soon as somebody tends; who listens hears of both', async () => {
  const { streams, bell, heard, listen } = setUp()
  listen()
  await settled()
  streams[0]?.emit('change')
  streams[0]?.emit('error', new Error('the database is away'))
  await settled()
  expect([streams.length, streams[0]?.isClosed, heard.count]).toEqual([1, true, 1])
  bell.tend()
  await settled()
  // What was appended before it listened
  streams[1]?.emit('resumeTokenChanged')
  streams[1]?.emit('resumeTokenChanged')
  streams[1]?.emit('change')
  // A late word of the first
  streams[0]?.emit('error', new Error('closed'))
  bell.tend()
  await settled()
  expect([streams.length, streams[1]?.isClosed, heard.count]).toEqual([2, false, 3])
})

test('where the collection cannot be reached whoever tends next tries again', async () => {
  let isAway = true
  const { streams, bell, listen } = setUp(async () => {
    if (isAway) throw new Error('away')
  })
  listen()
  await settled()
  isAway = false
  bell.tend()
  await settled()
  expect(streams).toHaveLength(1)
})

test('closed, it watches no more, nor what was about to begin', async () => {
  const { streams, bell, listen } = setUp()
  listen()
  await bell.close()
  await settled()
  bell.tend()
  await settled()
  expect(streams).toHaveLength(0)
})
