import WebSocket from 'ws'
import { FEED_PROTOCOL } from '../../src/protocol/log/feed.js'
import { proofOf } from '../oauth/requests.js'
import type { Actor, Registry } from '../registry.js'

/** A subscriber of the feed that has got everything up to now. */
export async function followRevocations(registry: Registry, actor: Actor): Promise<AsyncDisposable> {
  const { accessToken } = await actor.token()
  const dpop = await proofOf(registry, actor.signer, { htm: 'GET', path: '/revocations', accessToken })
  const url = `${registry.issuer.replace('http', 'ws')}/revocations`
  const socket = new WebSocket(url, [FEED_PROTOCOL], { headers: { authorization: `DPoP ${accessToken}`, dpop } })
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'subscribe' }))
      socket.send(JSON.stringify({ type: 'sync', n: 1 }))
    })
    socket.on('message', (data) => JSON.parse(String(data)).type === 'synced' && resolve())
  })
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        socket.on('close', () => resolve())
        socket.close()
      }),
  }
}
