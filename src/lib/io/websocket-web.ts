import type { WebSocketLike } from './websocket-node.js'

export type { WebSocketLike } from './websocket-node.js'

export const openWebSocket = (url: string, protocols: readonly string[]): WebSocketLike => new WebSocket(url, [...protocols])
