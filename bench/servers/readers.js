// Many subscribers in one process. Counts the ended handles that they receive, and the gaps between messages.
import { WebSocket } from 'ws'
import { optionsOf, serveCalls } from '../lib/child.js'

const { port } = optionsOf()
const readers = []
let frames = 0
let bytes = 0
let expected = { total: Number.POSITIVE_INFINITY, done: () => {} }
const endedCount = () => readers.reduce((sum, reader) => sum + reader.ended, 0)

async function open() {
  const ws = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  const reader = { ws, seq: undefined, ended: 0, gaps: 0, challenges: new Map() }
  ws.on('message', (data) => {
    if (data[0] === 120) return countFrames() // a frame of the bare loop
    const message = JSON.parse(data)
    if (message.type === 'hello') {
      // From the head on, as a subscriber that was connected before: a snapshot of a long log is what catch-up.js measures
      reader.seq = Number(message.head.position.split('.').at(-1))
      reader.challenges.set(0, reader.ready)
      ws.send(JSON.stringify({ type: 'subscribe', from: message.head }))
      ws.send('{"type":"sync","n":0}')
    } else if (message.type === 'events') {
      if (message.prev !== reader.seq) reader.gaps++
      reader.seq = message.last
      reader.ended += message.ended.length
      bytes = data.length
      countFrames(message.ended.length)
    } else if (message.type === 'synced') {
      reader.challenges.get(message.n)?.()
      reader.challenges.delete(message.n)
    }
  })
  await new Promise((resolve, reject) => {
    reader.ready = resolve
    ws.on('error', reject)
  })
  readers.push(reader)
}
function countFrames(count = 1) {
  frames += count
  if (frames >= expected.total) expected.done()
}

serveCalls(
  {},
  {
    open: async (count) => {
      for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: Math.min(50, count - i) }, open))
    },
    expect: (total) => {
      frames = 0
      expected = { total: total * readers.length }
      expected.arrived = new Promise((resolve) => {
        expected.done = resolve
      })
      if (readers.length === 0) expected.done()
    },
    arrived: () => expected.arrived,
    facts: () => ({ endedCount: endedCount(), gaps: readers.reduce((sum, { gaps }) => sum + gaps, 0), bytes }),
    // A verifier with 10 calls per second and 1 s of allowed staleness sends one challenge per second.
    fresh: async ({ seconds, calls }) => {
      const waits = []
      const endsAt = performance.now() + seconds * 1000
      await Promise.all(
        readers.map(async (reader, i) => {
          await new Promise((resolve) => setTimeout(resolve, (i / readers.length) * 1000))
          let freshAt = Number.NEGATIVE_INFINITY
          for (let n = 0; performance.now() < endsAt; n++) {
            const sentAt = performance.now()
            if (sentAt - freshAt > 1000) {
              await new Promise((resolve) => {
                reader.challenges.set(n, resolve)
                reader.ws.send(JSON.stringify({ type: 'sync', n }))
              })
              freshAt = sentAt
              waits.push(performance.now() - sentAt)
            }
            await new Promise((resolve) => setTimeout(resolve, 1000 / calls))
          }
        }),
      )
      return waits
    },
  },
)
