// A subscriber that is far behind. It first receives and keeps the messages of a feed. Then it passes them through the client's check and state
// machine, or parses them and puts each handle into a Map.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { WebSocket } from 'ws'
import { FeedState } from '../../dist/client/feed-state.js'
import { systemClock } from '../../dist/lib/clock.js'
import { parseServerMessage } from '../../dist/protocol/log/feed.js'
import { optionsOf, serveCalls } from '../lib/child.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const { port } = optionsOf()
const start = JSON.parse((await receive()).at(0)).head
let messages = []

/** The messages that the registry sends until it answers a challenge. */
async function receive(subscription) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  const texts = []
  await new Promise((resolve, reject) => {
    ws.on('error', reject)
    ws.on('message', (data) => {
      texts.push(String(data))
      if (subscription === undefined || texts.at(-1).startsWith('{"type":"synced"')) resolve()
      else if (texts.length === 1) for (const message of [subscription, { type: 'sync', n: 0 }]) ws.send(JSON.stringify(message))
    })
  })
  ws.terminate()
  return texts
}

const works = {
  floor: (texts) => {
    const handles = new Map()
    for (const text of texts) for (const { handle, horizon } of JSON.parse(text).ended ?? []) handles.set(handle, horizon)
    return { ended: handles }
  },
  client: (texts) => {
    const saved = { position: start, snapshot: { position: start.position, time: 0, ended: [] } }
    const state = new FeedState(systemClock, saved)
    for (const text of texts)
      for (const effect of state.receive(parseServerMessage(text))) {
        if (effect.type === 'drop') throw new Error('the subscriber dropped the connection')
        if (effect.type === 'deliver') state.delivered(effect.position)
      }
    return state
  },
}

serveCalls(
  {},
  {
    /** Receives the missed events, or the snapshot. Returns the bytes. */
    receive: async (kind) => {
      messages = await receive(kind === 'events' ? { type: 'subscribe', from: start } : { type: 'subscribe' })
      return messages.reduce((sum, text) => sum + text.length, 0)
    },
    /** Returns the CPU in microseconds, the number of handles, and the memory in bytes. */
    measure: (work) => {
      collectGarbage()
      const used = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
      const [usedBefore, cpuBefore] = [used(), process.cpuUsage()]
      const { ended } = works[work](messages)
      const { user, system } = process.cpuUsage(cpuBefore)
      collectGarbage()
      return { cpu: user + system, handles: ended.size, memory: used() - usedBefore }
    },
  },
)
