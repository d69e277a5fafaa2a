import { expect, test } from 'vitest'
import { QUEUES } from '../../../src/http/limits/request-queues.js'
import { blockingServer, get, statusOn } from '../blocking-server.js'

/** A single caller gets half of the slots. */
const MAX_WORKING = QUEUES.public.slots / 2
const MAX_WAITING = QUEUES.public.waiting

test('a waiting request whose caller disconnects frees its slot and does not run', async () => {
  await using server = await blockingServer()
  for (let i = 0; i < MAX_WORKING; i++) await server.send(get('/blocked'))
  await server.until(({ started }) => started === MAX_WORKING)
  // One request more than may wait: once one is refused, all others are waiting
  const waiting = []
  for (let i = 0; i <= MAX_WAITING; i++) waiting.push(await server.send(get('/quick')))
  expect(await Promise.race(waiting.map(statusOn))).toBe('429')
  for (const socket of waiting) socket.destroy()
  await server.until(({ closed }) => closed >= waiting.length)
  const later = server.fetch('/quick')
  server.release()
  const response = await later
  expect([response.status, await response.text()]).toEqual([200, '1'])
})

test('pipelined requests free their slots when their connection is reset', async () => {
  await using server = await blockingServer()
  const sockets = []
  for (let i = 0; i < 3; i++) sockets.push(await server.send(get('/blocked').repeat(50)))
  await server.until(({ started }) => started === MAX_WORKING)
  for (const socket of sockets) socket.resetAndDestroy()
  await server.until(({ closed }) => closed === sockets.length)
  server.release()
  for (let i = 0; i < 2 * MAX_WORKING; i++) expect((await server.fetch('/quick')).status).toBe(200)
  expect(server.counts.started).toBe(MAX_WORKING)
})

test('a running request holds its slot after its caller has disconnected', async () => {
  await using server = await blockingServer()
  for (let round = 1; round <= 2; round++) {
    const sockets = []
    for (let i = 0; i < MAX_WORKING; i++) sockets.push(await server.send(get('/blocked')))
    await server.until(({ started }) => started === MAX_WORKING)
    for (const socket of sockets) socket.destroy()
    await server.until(({ closed }) => closed === round * MAX_WORKING)
  }
  const later = server.fetch('/blocked')
  server.release()
  expect((await later).status).toBe(200)
  expect(server.counts.peak).toBe(MAX_WORKING)
})
