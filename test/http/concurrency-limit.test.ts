import { expect, test } from 'vitest'
import { MAX_WAITING, MAX_WORKING } from '../../src/http/concurrency-limit.js'
import { get, heldServer, statusOn } from './held-server.js'

test('who waits and hangs up holds no place, and nothing is done for it', async () => {
  await using server = await heldServer()
  for (let i = 0; i < MAX_WORKING; i++) await server.send(get('/held'))
  await server.until(({ begun }) => begun === MAX_WORKING)
  // One more than can wait: when one is turned away, all others wait.
  const waiting = []
  for (let i = 0; i <= MAX_WAITING; i++) waiting.push(await server.send(get('/quick')))
  expect(await Promise.race(waiting.map(statusOn))).toBe('503')
  for (const socket of waiting) socket.destroy()
  await server.until(({ closed }) => closed >= waiting.length)
  const later = server.fetch('/quick')
  server.release()
  const answer = await later
  expect([answer.status, await answer.text()]).toEqual([200, '1'])
})

test('requests that were pipelined on connections that are then cut give their places back', async () => {
  await using server = await heldServer()
  const cut = []
  for (let i = 0; i < 3; i++) cut.push(await server.send(get('/held').repeat(50)))
  await server.until(({ begun }) => begun === MAX_WORKING)
  for (const socket of cut) socket.resetAndDestroy()
  await server.until(({ closed }) => closed === cut.length)
  server.release()
  for (let i = 0; i < 2 * MAX_WORKING; i++) expect((await server.fetch('/quick')).status).toBe(200)
  expect(server.seen.begun).toBe(MAX_WORKING)
})

test('work that goes on after its caller has hung up still counts', async () => {
  await using server = await heldServer()
  for (let round = 1; round <= 2; round++) {
    const sockets = []
    for (let i = 0; i < MAX_WORKING; i++) sockets.push(await server.send(get('/held')))
    await server.until(({ begun }) => begun === MAX_WORKING)
    for (const socket of sockets) socket.destroy()
    await server.until(({ closed }) => closed === round * MAX_WORKING)
  }
  const later = server.fetch('/held')
  server.release()
  expect((await later).status).toBe(200)
  expect(server.seen.most).toBe(MAX_WORKING)
})
