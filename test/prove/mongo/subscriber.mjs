// A subscriber that believes nothing: it keeps every message, goes on from its place after each loss, and never asks for the whole set twice.
import WebSocket from 'ws'
import { pause } from '../tools.mjs'

const PROTOCOL = 'a2a-revocation.v1+json'
const SYNC_MS = 150

/**
 * A subscriber of one instance. `ticket()`: a fresh one-time ticket. What came is in `stream`: `from` once, then `{ prev, last, ended }` for
 * every message; and `syncs`: when it asked "is that all?", and up to which entry it had been told when that was answered.
 */
export async function startSubscriber({ instance, ticket }) {
  const stream = { name: instance.name, from: undefined, events: [], resets: [], syncs: [] }
  let place
  let isOver = false
  let socket
  const once = () =>
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
      ws.send(JSON.stringify({ type: 'subscribe', ...(place && { from: place }) }))
      if (place) challenge(ws)
    } else if (message.type === 'synced') {
      stream.syncs.push({ sentAt: asked.get(message.n), at: seqOf(place.position), head: seqOf(message.head.position) })
      setTimeout(() => challenge(ws), SYNC_MS)
    }
    if (message.type === 'snapshot') {
      if (stream.from !== undefined) stream.resets.push('a second snapshot')
      stream.from ??= seqOf(message.asOf.position)
      place = message.asOf
      challenge(ws)
    } else if (message.type === 'events') {
      const { epoch, prev, last, hash, ended } = message
      stream.events.push({ prev, last, ended: ended.map(({ handle }) => handle) })
      place = { position: `${epoch}.${last}`, hash }
    } else if (message.type === 'reset' || message.type === 'snapshot_required') {
      stream.resets.push(`${message.type} ${message.reason ?? ''} at ${place?.position}`)
      place = undefined
      ws.close()
    } else if (message.type === 'move' || message.type === 'error') ws.close()
  }
  const run = async () => {
    while (!isOver) {
      await once()
      await pause(100)
    }
  }
  const asked = new Map()
  const challenge = (ws) => {
    if (isOver || ws.readyState !== ws.OPEN) return
    asked.set(asked.size, performance.now())
    ws.send(JSON.stringify({ type: 'sync', n: asked.size - 1 }))
  }
  const running = run()
  for (const until = performance.now() + 20_000; place === undefined && performance.now() < until; ) await pause(20)
  if (place === undefined) throw new Error('the subscriber was not served')
  return {
    stream,
    at: () => (place === undefined ? -1 : seqOf(place.position)),
    async stop() {
      isOver = true
      socket?.terminate()
      await running
    },
  }
}

const seqOf = (position) => Number(position.slice(position.lastIndexOf('.') + 1))
