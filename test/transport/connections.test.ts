import { once } from 'node:events'
import { expect, test } from 'vitest'
import { get, heldServer, statusOn } from './held-server.js'

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
