import { once } from 'node:events'
import { expect, test } from 'vitest'
import { get, heldServer, LARGE_BYTES, statusOn } from './held-server.js'

test('past so many connections the one that has been quiet longest makes room; who waits for an answer gets it', async () => {
  await using server = await heldServer({ maxConnections: 4 })
  const waits = await server.send(get('/held'))
  await server.until(({ begun }) => begun === 1)
  const [first, second, third] = [await server.send(''), await server.send('GET /quick HT'), await server.send('')]
  first.write(get('/quick'))
  expect(await statusOn(first)).toBe('200')
  // The second has not come to the end of its request; the first has been answered since.
  const gone = once(second, 'close')
  const fourth = await server.send(get('/quick'))
  expect(await statusOn(fourth)).toBe('200')
  await gone
  const alsoGone = once(third, 'close')
  const fifth = await server.send(get('/quick'))
  expect(await statusOn(fifth)).toBe('200')
  await alsoGone
  server.release()
  expect(await statusOn(waits)).toBe('200')
  first.write(get('/quick'))
  expect(await statusOn(first)).toBe('200')
})

test('answers that nobody takes have so much memory together: past it the one that has waited longest is cut', async () => {
  await using server = await heldServer({ maxUnreadBytes: LARGE_BYTES + 1000 })
  for (let i = 0; i < 5; i++) {
    await server.send(get('/large'))
    await server.until(({ large }) => large > i)
  }
  const answer = await server.fetch('/large')
  expect((await answer.arrayBuffer()).byteLength).toBe(LARGE_BYTES)
  await server.until(({ closed }) => closed === 5)
  expect((await server.fetch('/quick')).status).toBe(200)
})
