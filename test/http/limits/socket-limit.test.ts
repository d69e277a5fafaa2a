import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { newSocketLimit } from '../../../src/http/limits/socket-limit.js'
import type { AgentId, OrgId } from '../../../src/protocol/ids.js'

class Socket extends EventEmitter {
  code = 0
  close(code: number) {
    this.code = code
  }
}

const owner = (org: string, agent = 'a') => ({ id: `agt_${org}${agent}` as AgentId, orgId: `org_${org}` as OrgId })

function openSockets(limits: { ofClient?: number; ofOrganisation?: number; total?: number }) {
  const limit = newSocketLimit(limits)
  return (org: string, agent?: string) => {
    const socket = new Socket()
    limit.requireRoom(owner(org, agent))
    limit.add(socket as unknown as WebSocket, owner(org, agent)) // only `on` and `close` are used
    return socket
  }
}

test('the clients of an organisation share its maximum, and a closed socket frees its place', () => {
  const open = openSockets({ ofClient: 2, ofOrganisation: 3 })
  const first = open('x', 'a')
  open('x', 'a')
  expect(() => open('x', 'a')).toThrow('this client already has 2 sockets')
  open('x', 'b')
  expect(() => open('x', 'c')).toThrow('this organisation already has 3 sockets')
  open('y')
  first.emit('close')
  open('x', 'c')
})

test('a client with a narrower limit gets that one', () => {
  const limit = newSocketLimit()
  const socket = new Socket()
  limit.requireRoom(owner('x'), 1)
  limit.add(socket as unknown as WebSocket, owner('x')) // only `on` and `close` are used
  expect(limit.countOf(owner('x').id)).toBe(1)
  expect(() => limit.requireRoom(owner('x'), 1)).toThrow('this client already has 1 sockets')
  limit.requireRoom(owner('x'), 2)
})

test('in a full instance the organisation with the most sockets makes room for a newcomer', () => {
  const open = openSockets({ total: 4 })
  const large = [open('large', 'a'), open('large', 'b'), open('large', 'c')]
  open('small')
  open('newcomer')
  expect(large.map(({ code }) => code)).toEqual([0, 0, 4503])
  expect(() => open('large', 'd')).toThrow('this instance has too many sockets')
  // An organisation does not make room for one that would then have more
  expect(() => open('small', 'b')).toThrow('this instance has too many sockets')
})
