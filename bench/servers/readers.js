// Many subscribers in one process; reports the position of each and any gap.
import { WebSocket } from 'ws'
import { optionsOf, serveQuestions } from '../lib/child.js'

const { port } = optionsOf()
const readers = []
let frames = 0
let bytes = 0
let wanted = { total: Number.POSITIVE_INFINITY, done: () => {} }
const endings = () => readers.reduce((sum, reader) => sum + reader.ended, 0)

async function open() {
  const ws = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  const reader = { ws, at: undefined, ended: 0, gaps: 0, asked: new Map() }
  ws.on('message', (data) => {
    if (data[0] === 120) return counted() // the floor's frame
    const message = JSON.parse(data)
    if (message.type === 'hello') ws.send('{"type":"subscribe"}')
    else if (message.type === 'snapshot') {
      reader.at = Number(message.asOf.position.split('.').at(-1))
      reader.ready()
    } else if (message.type === 'events') {
      if (message.prev !== reader.at) reader.gaps++
      reader.at = message.last
      reader.ended += message.ended.length
      bytes = data.length
      counted(message.ended.length)
    } else if (message.type === 'synced') {
      reader.asked.get(message.n)?.()
      reader.asked.delete(message.n)
    }
  })
  await new Promise((resolve, reject) => {
    reader.ready = resolve
    ws.on('error', reject)
  })
  readers.push(reader)
}
function counted(by = 1) {
  frames += by
  if (frames >= wanted.total) wanted.done()
}

serveQuestions(
  {},
  {
    open: async (count) => {
      for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: Math.min(50, count - i) }, open))
    },
    expect: (total) => {
      frames = 0
      wanted = { total: total * readers.length }
      wanted.arrived = new Promise((resolve) => {
        wanted.done = resolve
      })
    },
    arrived: () => wanted.arrived,
    facts: () => ({ endings: endings(), gaps: readers.reduce((sum, { gaps }) => sum + gaps, 0), bytes }),
    // A verifier with 10 calls per second and 1 s of allowed staleness sends one challenge per second.
    fresh: async ({ seconds, calls }) => {
      const waits = []
      const until = performance.now() + seconds * 1000
      await Promise.all(
        readers.map(async (reader, i) => {
          await new Promise((resolve) => setTimeout(resolve, (i / readers.length) * 1000))
          let freshAt = Number.NEGATIVE_INFINITY
          for (let n = 0; performance.now() < until; n++) {
            const at = performance.now()
            if (at - freshAt > 1000) {
              await new Promise((resolve) => {
                reader.asked.set(n, resolve)
                reader.ws.send(JSON.stringify({ type: 'sync', n }))
              })
              freshAt = at
              waits.push(performance.now() - at)
            }
            await new Promise((resolve) => setTimeout(resolve, 1000 / calls))
          }
        }),
      )
      return waits
    },
  },
)
