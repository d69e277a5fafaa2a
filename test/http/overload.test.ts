import { expect, test } from 'vitest'
import { QUEUES } from '../../src/http/limits/request-queues.js'
import { startHttp } from '../../src/http/server.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

/** A single caller gets half of the slots. */
const MAX_WORKING = QUEUES.public.slots / 2
const MAX_WAITING = QUEUES.public.waiting
const EXCESS = 20

test('the requests of a caller past its share get 429 with Retry-After and RateLimit fields, and its running and waiting ones are completed', async () => {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let started = 0
  let allStarted: () => void = () => undefined
  const isWorking = new Promise<void>((resolve) => {
    allStarted = resolve
  })
  const endpoint = async () => {
    if (++started === MAX_WORKING) allStarted()
    await released
    return { status: 200, headers: {}, body: 'done' }
  }
  const http = await startHttp({
    issuer: 'http://127.0.0.1',
    host: '127.0.0.1',
    port: 0,
    routes: [{ method: 'GET', path: '/work', endpoint }],
    trustedProxies: [],
    random: systemRandom,
    log: silentLog,
  })
  const call = () => fetch(`http://127.0.0.1:${http.port}/work`)
  const refused: Response[] = []
  let allRefused: () => void = () => undefined
  const isRefusing = new Promise<void>((resolve) => {
    allRefused = resolve
  })
  const calls = Array.from({ length: MAX_WORKING + MAX_WAITING + EXCESS }, async () => {
    const response = await call()
    if (response.status === 429 && refused.push(response) === EXCESS) allRefused()
    return response
  })
  await Promise.all([isWorking, isRefusing])
  for (const response of refused) {
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('ratelimit')).toBe('"concurrent-requests";r=0;t=1')
    expect(response.headers.get('ratelimit-policy')).toBe(`"concurrent-requests";q=${MAX_WORKING};qu="concurrent-requests"`)
    expect(await response.json()).toMatchObject({ error: 'rate_limited' })
  }
  release()
  const served = (await Promise.all(calls)).filter(({ status }) => status === 200)
  expect(served).toHaveLength(MAX_WORKING + MAX_WAITING)
  const later = await call()
  expect([later.status, await later.text()]).toEqual([200, 'done'])
  await http.close()
})
