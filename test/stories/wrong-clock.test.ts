// The clock of the registry's machine is wrong, at run time or at the start, with an embedded store.
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { restoreStore } from '../../src/operations/restore/restore.js'
import { parseConfig } from '../../src/server/config.js'
import { type RunningServer, startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import type { ClockMode } from '../../src/trust-log/clock-rule.js'
import { claimsOf } from '../claims-of.js'
import { type Front, openFront } from '../front.js'
import { assertionOf, freshNonce, proofOf, tokenRequest } from '../oauth/requests.js'
import { newCast, startRegistry } from '../registry.js'
import { type SetClock, setClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { aHandle, end, openLogs } from '../trust-log/open-logs.js'
import { aPair, reasonOf } from './actors.js'

const MINUTE = 60
const HOUR = 3600
const DAY = 24 * HOUR
const YEARS = 3652 * DAY

test('a client is served at once after a task was created two minutes ahead of time', async () => {
  await using registry = await startRegistry({ servers: 1, clockMode: 'checked' })
  const { planner, ocr } = await aPair(registry)
  registry.clock.step(2 * MINUTE)
  await planner.tasks.create({ description: 'ahead' })
  registry.clock.step(-2 * MINUTE)
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('done')
  await planner.tasks.create({ description: 'now' })
  const { view } = await planner.query<{ view: string }>('cards.get', { agentId: ocr.agentId })
  expect(claimsOf(view).iat).toBe(registry.clock.now())
  await registry.agent({ registeredBy: await registry.organisation('Initech') })
})

test('a spent assertion is refused also after a purge, when log time is ahead', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const { planner } = await aPair(registry)
  registry.clock.step(HOUR)
  await planner.tasks.create({ description: 'ahead' })
  registry.clock.step(-HOUR)
  const now = registry.clock.now()
  const assertion = await assertionOf(registry, planner, { exp: now + 290 })
  const form = { grant_type: 'client_credentials' }
  expect((await tokenRequest(registry, planner, form, { assertion })).status).toBe(200)
  for (let i = 0; i < 3; i++) {
    registry.clock.advance(61)
    expect((await tokenRequest(registry, planner, form, { assertion })).body.error).toBe('invalid_client')
  }
})

describe('a clock that jumps while the registry runs', () => {
  const healthOf = async ({ adminPort }: RunningServer, path: string) => {
    const response = await fetch(`http://127.0.0.1:${adminPort}${path}`)
    return { status: response.status, text: await response.text() }
  }

  test.each([
    ['an hour ahead', HOUR],
    ['an hour behind', -HOUR],
    ['ten years ahead', YEARS],
    ['ten years behind', -YEARS],
  ])('%s: nothing is decided or written, and all is well when it is right again', async (_, seconds) => {
    await using registry = await startRegistry({ servers: 1, clockMode: 'checked' })
    const [server] = registry.servers
    if (!server) throw new Error('there is a server')
    const { planner, ocr, introductionId } = await aPair(registry)
    const [kept, revoked] = [await planner.exchange({ audience: ocr.audience }), await planner.exchange({ audience: ocr.audience })]
    await planner.revoke(revoked.accessToken)
    const before = await registry.stored()

    registry.clock.step(seconds)
    expect(await reasonOf(planner.tasks.create({ description: 'x' }))).toBe('clock_implausible')
    expect(await reasonOf(registry.as(planner).token())).toBe('clock_implausible')
    expect(await healthOf(server, '/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('correct the clock') })
    expect(await healthOf(server, '/livez')).toMatchObject({ status: 200 })
    // Maintenance runs, and nothing is purged
    for (let i = 0; i < 8; i++) registry.clock.advance(10)
    expect(await healthOf(server, '/livez')).toMatchObject({ status: 503, text: expect.stringContaining('not alive') })
    expect((await registry.fetch('/.well-known/jwks.json')).status).toBe(200)
    expect((await registry.stored()).join().length).toBeGreaterThanOrEqual(before.join().length)

    registry.clock.step(-seconds)
    expect(await healthOf(server, '/readyz')).toMatchObject({ status: 200 })
    expect(await healthOf(server, '/livez')).toMatchObject({ status: 200 })
    const again = registry.as(planner)
    expect(await reasonOf(again.tasks.create({ description: 'x' }))).toBe('done')
    expect((await again.introductions.get(introductionId)).state).toBe('granted')
    expect((await registry.as(ocr).introspect(kept.accessToken)).active).toBe(true)
    expect((await registry.as(ocr).introspect(revoked.accessToken)).active).toBe(false)
    // What was made before is refused from now on: its replay key may have been lost
    const now = registry.clock.now()
    const form = { grant_type: 'client_credentials' }
    const early = { iat: now - 30, exp: now + 30 }
    for (const claims of [early, { ...early, iat: undefined }])
      expect((await tokenRequest(registry, planner, form, { assertion: await assertionOf(registry, planner, claims) })).body.error).toBe(
        'invalid_client',
      )
    const nonce = await freshNonce(registry, planner)
    const proof = await proofOf(registry, planner.signer, { path: '/oauth/token', nonce }, { iat: now - 30 })
    expect((await tokenRequest(registry, planner, form, { proof })).body.error).toBe('invalid_dpop_proof')
    expect((await tokenRequest(registry, planner, form)).status).toBe(200)
  })

  test('corrections by less than five minutes, and a slow drift over hours, are accepted', async () => {
    await using registry = await startRegistry({ servers: 1, clockMode: 'checked' })
    const { planner } = await aPair(registry)
    for (const seconds of [200, -200, 290]) {
      registry.clock.step(seconds)
      expect(await reasonOf(registry.as(planner).tasks.create({ description: 'x' }))).toBe('done')
      registry.clock.advance(5 * HOUR)
    }
  })
})

describe('a start', () => {
  test.each<[string, ClockMode, number, string]>([
    ['six days after the newest entry', 'checked', 6 * DAY, 'done'],
    ['eight days after the newest entry', 'checked', 8 * DAY, 'clock_implausible'],
    ['ten years after the newest entry', 'checked', YEARS, 'clock_implausible'],
    ['30 s before the newest entry', 'checked', -30, 'done'],
    ['an hour before the newest entry', 'checked', -HOUR, 'clock_implausible'],
    ['an hour before the newest entry, with --accept-clock', 'accepted', -HOUR, 'done'],
    ['ten years after the newest entry, with --accept-clock', 'accepted', YEARS, 'done'],
    ['ten years after the newest entry, in development mode', 'dev', YEARS, 'done'],
  ])('%s', async (_, clockMode, seconds, expected) => {
    await using logs = await openLogs()
    const first = await logs.open()
    await end(first, aHandle())
    logs.clock.step(seconds)
    const later = logs.open({ clockMode }).then((log) => log.proofsValidFrom())
    expect(await reasonOf(later)).toBe(expected)
    if (expected !== 'done')
      await expect(later).rejects.toThrow(/the clock of this machine says .* newest entry of the log is from .*--accept-clock.*reset-clock/)
    if (clockMode === 'accepted') expect(await later).toBe(logs.clock.now())
  })
})

describe('credence admin reset-clock', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let server: RunningServer | undefined
  let front: Front | undefined
  let closeStore: (() => Promise<void>) | undefined
  const stop = async () => {
    await server?.close()
    await closeStore?.()
    ;[server, closeStore] = [undefined, undefined]
  }
  beforeEach(async () => {
    folder = await tempFolder()
  })
  afterEach(async () => {
    await stop()
    await folder[Symbol.asyncDispose]()
    await front?.[Symbol.asyncDispose]()
    front = undefined
  })

  test('after a log was written ten years ahead, log time is right again, nothing revoked is valid, and what stood still stands', async () => {
    const file = join(folder.path, 'credence.db')
    const opened = await openFront()
    front = opened
    const issuer = opened.origin
    const start = async (clock: SetClock) => {
      const storage = await openSqlite({ file, clock })
      closeStore = () => storage.close()
      server = await startServer({
        storage,
        clock,
        random: systemRandom,
        log: silentLog,
        issuer,
        dev: true,
        host: '127.0.0.1',
        port: 0,
        adminPort: 0,
        limits: 'off',
      })
      opened.route([server.port])
      return server
    }
    const right = setClock(systemClock.now())
    const { firstCode = '' } = await start(right)
    const cast = await newCast({ issuer, clock: right, firstCode })
    const { planner, ocr, introductionId } = await aPair({ ...cast, issuer } as never)
    const { taskId } = await planner.tasks.create({ description: 'ended', seconds: 10 * DAY })
    await planner.tasks.end(taskId)
    await stop()

    const wrong = setClock(systemClock.now() + YEARS)
    await start(wrong)
    const ahead = cast.as(planner, { clock: wrong })
    await ahead.tasks.create({ description: 'ten years ahead' })
    expect(server?.trustLog.logTime()).toBeGreaterThan(systemClock.now() + YEARS - DAY)
    await stop()

    const config = parseConfig({ dev: true, dataDirectory: folder.path, witness: false }, undefined, {})
    expect(await reasonOf(restoreStore(config, undefined))).toBe('conflict')
    const unnamed = restoreStore({ ...config, witness: join(folder.path, 'other.json') }, undefined, { isCurrent: true })
    await expect(unnamed).rejects.toThrow(/other\.json does not exist: name the witness of the registry \(--witness\), or --no-witness/)
    await restoreStore(config, undefined, { isCurrent: true })
    // Subscribers that read the log under the wrong time have forgotten that the task ended
    const stored = await openSqlite({ file, clock: right })
    const entries = (await stored.log.read(0, 1000)).flatMap((block) => block.entries)
    await stored.close()
    const epoch = entries.findLastIndex(({ type }) => type === 'epoch.started')
    const [task] = entries.find(({ type }) => type === 'task.ended')?.ends ?? []
    expect(entries.slice(epoch).flatMap(({ ends }) => ends)).toContainEqual(task)
    await expect(restoreStore(config, undefined, { isCurrent: true })).rejects.toThrow('there is nothing to reset')
    const corrected = setClock(systemClock.now() + 5)
    const { trustLog } = await start(corrected)
    expect(Math.abs(trustLog.logTime() - systemClock.now())).toBeLessThan(MINUTE)
    const now = cast.as(planner, { clock: corrected })
    expect((await now.introductions.get(introductionId)).state).toBe('granted')
    expect(await reasonOf(now.exchange({ audience: ocr.audience }))).toBe('done')
    expect((await now.tasks.get(taskId)).state).toBe('ended')
    expect(await reasonOf(now.exchange({ audience: ocr.audience, taskId }))).toBe('invalid_request')
    expect((await now.tasks.create({ description: 'now' })).deadline).toBeLessThan(systemClock.now() + DAY)
  })
})
