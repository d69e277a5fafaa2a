import { expect, test } from 'vitest'
import { MAX_WAITING, MAX_WORKING } from '../../src/http/concurrency-limit.js'
import { startHttp } from '../../src/http/server.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

const TOO_MANY = 20

test('past the bound a caller is turned away at once, told when to come back, and what was begun is finished', async () => {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let begun = 0
  let allBegun: () => void = () => undefined
  const full = new Promise<void>((resolve) => {
    allBegun = resolve
  })
  const endpoint = async () => {
    if (++begun === MAX_WORKING) allBegun()
    await held
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
  const away: Response[] = []
  let allAway: () => void = () => undefined
  const enough = new Promise<void>((resolve) => {
    allAway = resolve
  })
  const calls = Array.from({ length: MAX_WORKING + MAX_WAITING + TOO_MANY }, async () => {
    const answer = await call()
    if (answer.status === 503 && away.push(answer) === TOO_MANY) allAway()
    return answer
  })
  await Promise.all([full, enough])
  for (const answer of away) {
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ error: 'unavailable' })
  }
  release()
  const served = (await Promise.all(calls)).filter(({ status }) => status === 200)
  expect(served).toHaveLength(MAX_WORKING + MAX_WAITING)
  const later = await call()
  expect([later.status, await later.text()]).toEqual([200, 'done'])
  await http.close()
})
