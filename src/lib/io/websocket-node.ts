// The standard WebSocket (WHATWG), which Node 20 does not offer as a global; websocket-web.ts is the browser counterpart.
import { WebSocket as NodeWebSocket } from 'ws'

/** The part of the WebSocket interface that clients use. */
export interface WebSocketLike {
  readonly readyState: number
  send(text: string): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'open', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void
  addEventListener(type: 'error', listener: () => void): void
}

export const openWebSocket = (url: string, protocols: readonly string[]): WebSocketLike =>
  new NodeWebSocket(url, [...protocols], { perMessageDeflate: false })
