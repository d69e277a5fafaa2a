import type { WebSocket } from 'ws'
import { refuse } from '../../errors.js'
import { CLOSE_CODES } from '../../protocol/log/feed.js'
import type { Caller } from '../caller.js'

/** Open sockets of one client (by default), of the clients of one organisation (a twentieth of all), and of an instance. */
export const SOCKET_LIMITS = { ofClient: 64, ofOrganisation: 1000, total: 20_000 }

export interface SocketLimit {
  /** Refuses a further socket of the caller past `maxOfClient`, or makes room for it. Call `add` in the same event-loop turn. */
  requireRoom(caller: SocketOwner, maxOfClient?: number): void
  add(ws: WebSocket, caller: SocketOwner): void
  /** The open sockets of a client on this instance. */
  countOf(id: string): number
}
type SocketOwner = Pick<Caller, 'id' | 'orgId'>

/**
 * Limits the open sockets per client and per organisation. When the instance is full, the organisation with the most sockets loses its
 * newest one to a newcomer of an organisation that has fewer, so that no group of organisations can lock others out.
 */
export function newSocketLimit(limits: Partial<typeof SOCKET_LIMITS> = {}): SocketLimit {
  const { ofClient, ofOrganisation, total } = { ...SOCKET_LIMITS, ...limits }
  const byClient = new Map<string, Set<WebSocket>>()
  const byOrganisation = new Map<string, Set<WebSocket>>()
  const owners = new Map<WebSocket, SocketOwner>()
  const remove = (ws: WebSocket): void => {
    const owner = owners.get(ws)
    if (!owner) return
    owners.delete(ws)
    removeFrom(byClient, owner.id, ws)
    removeFrom(byOrganisation, owner.orgId, ws)
  }
  const makeRoom = (orgId: string): void => {
    const [largest = new Set<WebSocket>()] = [...byOrganisation.values()].sort((a, b) => b.size - a.size)
    if (largest.size <= sizeOf(byOrganisation, orgId) + 1) tooMany('this instance has too many sockets')
    const newest = [...largest].at(-1)
    if (!newest) return
    remove(newest)
    newest.close(CLOSE_CODES.moved, 'your organisation has the most sockets and makes room for another')
  }
  return {
    requireRoom: ({ id, orgId }, maxOfClient = ofClient) => {
      if (sizeOf(byClient, id) >= maxOfClient) tooMany(`this client already has ${maxOfClient} sockets`)
      if (sizeOf(byOrganisation, orgId) >= ofOrganisation) tooMany(`this organisation already has ${ofOrganisation} sockets`)
      if (owners.size >= total) makeRoom(orgId)
    },
    add: (ws, owner) => {
      owners.set(ws, owner)
      byClient.set(owner.id, (byClient.get(owner.id) ?? new Set()).add(ws))
      byOrganisation.set(owner.orgId, (byOrganisation.get(owner.orgId) ?? new Set()).add(ws))
      ws.on('close', () => remove(ws))
    },
    countOf: (id) => sizeOf(byClient, id),
  }
}

const tooMany = (text: string): never => refuse('rate_limited', `${text}, retry in 1 s`, { retryAfterSeconds: 1 })

const sizeOf = (sets: ReadonlyMap<string, ReadonlySet<WebSocket>>, key: string): number => sets.get(key)?.size ?? 0

function removeFrom(sets: Map<string, Set<WebSocket>>, key: string, ws: WebSocket): void {
  sets.get(key)?.delete(ws)
  if (sets.get(key)?.size === 0) sets.delete(key)
}
