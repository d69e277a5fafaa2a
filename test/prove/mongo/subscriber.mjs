// A subscriber that records every message, resumes at its position after each disconnect, and counts a second snapshot as a fault.
import WebSocket from 'ws'
import { pause } from '../tools.mjs'

const PROTOCOL = 'a2a-revocation.v1+json'
const SYNC_MS = 150

/**
 * A subscriber of one instance. `ticket()` returns a new one-time ticket. `stream` records the first position (`from`), `{ prev, last, revoked }`
 * for every message, and in `syncs` when each `sync` was sent and which position was reached when it was answered.
 */
export async function startSubscriber({ instance, ticket }) {
  const stream = { name: instance.name, from: undefined, events: [], resets: [], syncs: [] }
  let cursor
  let isOver = false
  let socket
  const connectOnce = () =>
    new Promise((done) => {
      const open = async () => {
        const ws = new WebSocket(`ws://127.0.0.1:${instance.port}/revocations`, [PROTOCOL, `ticket.${await ticket()}`])
        socket = ws
        ws.on('error', () => undefined)
        ws.on('close', done)
        ws.on('message', (data) => receive(ws, JSON.parse(String(data))))
      }
      open().catch(done)
    })
  const receive = (ws, message) => {
    if (message.type === 'hello') {
      ws.send(JSON.stringify({ type: 'subscribe', ...(cursor && { from: cursor }) }))
      if (cursor) sendSync(ws)
    } else if (message.type === 'synced') {
      stream.syncs.push({ sentAt: syncSentAt.get(message.n), position: seqOf(cursor.position), head: seqOf(message.head.position) })
      setTimeout(() => sendSync(ws), SYNC_MS)
    }
    if (message.type === 'snapshot') {
      if (stream.from !== undefined) stream.resets.push('a second snapshot')
      stream.from ??= seqOf(message.asOf.position)
      cursor = message.asOf
      sendSync(ws)
    } else if (message.type === 'events') {
      const { epoch, prev, last, hash, ended } = message
      stream.events.push({ prev, last, revoked: ended.map(({ handle }) => handle) })
      cursor = { position: `${epoch}.${last}`, hash }
    } else if (message.type === 'reset' || message.type === 'snapshot_required') {
      stream.resets.push(`${message.type} ${message.reason ?? ''} at ${cursor?.position}`)
      cursor = undefined
      ws.close()
    } else if (message.type === 'move' || message.type === 'error') ws.close()
  }
  const run = async () => {
    while (!isOver) {
      await connectOnce()
      await pause(100)
    }
  }
  const syncSentAt = new Map()
  const sendSync = (ws) => {
    if (isOver || ws.readyState !== ws.OPEN) return
    syncSentAt.set(syncSentAt.size, performance.now())
    ws.send(JSON.stringify({ type: 'sync', n: syncSentAt.size - 1 }))
  }
  const running = run()
  for (const until = performance.now() + 20_000; cursor === undefined && performance.now() < until; ) await pause(20)
  if (cursor === undefined) throw new Error('the subscriber got no snapshot')
  return {
    stream,
    position: () => (cursor === undefined ? -1 : seqOf(cursor.position)),
    async stop() {
      isOver = true
      socket?.terminate()
      await running
    },
  }
}

const seqOf = (position) => Number(position.slice(position.lastIndexOf('.') + 1))
