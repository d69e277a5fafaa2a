import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { requireRoom, whyNotReady } from '../../src/server/readiness.js'
import type { StoreState } from '../../src/storage/storage.js'
import { witnessFile } from '../../src/trust-log/witness/file.js'
import { type Registry, startRegistry } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'
import { reasonOf } from '../stories/actors.js'

const FIVE_MINUTES = 300

const recorder = () => {
  const lines: string[] = []
  const add = (text: string) => void lines.push(text)
  const log: Log = { debug: add, info: add, warn: add, error: add }
  return { lines, log }
}
const admin = async ({ servers }: Registry, path: string) => {
  const response = await fetch(`http://127.0.0.1:${servers[0]?.adminPort}${path}`)
  return `${response.status} ${(await response.text()).trim()}`
}
const metric = async (registry: Registry, name: string) =>
  Number(new RegExp(`^${name} (.*)$`, 'm').exec(await admin(registry, '/metrics'))?.[1])

describe('a witness that cannot be reached', () => {
  const started = async () => {
    const folder = await tempFolder()
    const file = join(folder.path, 'witness', 'head.json')
    const { lines, log } = recorder()
    const registry = await startRegistry({ servers: 1, log, witness: witnessFile(file) })
    const away = () =>
      rename(join(folder.path, 'witness'), join(folder.path, 'gone')).then(() => writeFile(join(folder.path, 'witness'), ''))
    return {
      registry,
      lines,
      /** The folder of the witness becomes a file, so that it can be neither read nor written. */
      away,
      back: () =>
        rename(join(folder.path, 'gone'), join(folder.path, 'back'))
          .then(() => rename(join(folder.path, 'witness'), join(folder.path, 'blocker')))
          .then(() => rename(join(folder.path, 'back'), join(folder.path, 'witness'))),
      [Symbol.asyncDispose]: async () => {
        await registry[Symbol.asyncDispose]()
        await folder[Symbol.asyncDispose]()
      },
    }
  }
  /** Moves the clock second by second, so that each attempt to update the witness ends before the next. */
  const pass = async (registry: Registry, until: () => Promise<boolean>) => {
    await expect
      .poll(
        () => {
          registry.clock.advance(1)
          return until()
        },
        { interval: 20, timeout: 10_000 },
      )
      .toBe(true)
  }

  test('is logged and counted at once, makes the instance not ready after five minutes, and ready again when it is back', async () => {
    await using one = await started()
    const { registry, lines } = one
    await pass(registry, async () => (await metric(registry, 'credence_witness_behind_entries')) === 0)
    expect(await metric(registry, 'credence_witness_reachable')).toBe(1)
    await one.away()
    await registry.organisation('Acme')
    await pass(registry, async () => (await metric(registry, 'credence_witness_reachable')) === 0)
    await pass(registry, async () => lines.includes('the witness cannot be updated'))
    expect(await metric(registry, 'credence_witness_behind_entries')).toBeGreaterThan(0)
    expect(await admin(registry, '/readyz')).toBe('200 ok')
    registry.clock.advance(FIVE_MINUTES)
    expect(await admin(registry, '/readyz')).toMatch(/^503 not ready: the witness .*head\.json could not be updated for 3\d\d s/)
    expect(await admin(registry, '/livez')).toBe('200 ok')
    expect(await metric(registry, 'credence_ready')).toBe(0)
    await one.back()
    await pass(registry, async () => (await admin(registry, '/readyz')) === '200 ok')
    expect(lines).toContain('the witness is updated again')
    expect(await metric(registry, 'credence_witness_behind_entries')).toBe(0)
  })

  test('is noticed also while the log does not grow', async () => {
    await using one = await started()
    const { registry } = one
    await pass(registry, async () => (await metric(registry, 'credence_witness_behind_entries')) === 0)
    await one.away()
    registry.clock.advance(30)
    await pass(registry, async () => (await metric(registry, 'credence_witness_reachable')) === 0)
    await one.back()
    await pass(registry, async () => (await metric(registry, 'credence_witness_reachable')) === 1)
  })
})

test('a clock that jumps is named by /readyz, the log and the metrics, and so is its correction', async () => {
  const { lines, log } = recorder()
  await using registry = await startRegistry({ servers: 1, clockMode: 'checked', log })
  expect(await metric(registry, 'credence_clock_plausible')).toBe(1)
  registry.clock.step(3600)
  expect(await admin(registry, '/readyz')).toMatch(/^503 not ready: the clock of this machine says/)
  expect(await metric(registry, 'credence_clock_plausible')).toBe(0)
  expect(await metric(registry, 'credence_ready')).toBe(0)
  expect(lines.filter((line) => line.startsWith('the clock of this machine has jumped')).length).toBe(1)
  registry.clock.step(-3600)
  expect(await admin(registry, '/readyz')).toBe('200 ok')
  expect(await metric(registry, 'credence_clock_plausible')).toBe(1)
  expect(lines).toContain('the clock of this machine is plausible again')
})

describe('the room on the disk', () => {
  const store = (room: StoreState['room']) => ({
    state: (): StoreState => ({ fault: undefined, needsRestart: false, freeBytes: 0, reserveBytes: 0, room }),
  })
  test.each([
    ['enough', 'done', 'done'],
    ['little', 'unavailable', 'done'],
    ['reserve', 'unavailable', 'unavailable'],
  ] as const)('%s: a creation is %s, a token for another agent %s', async (room, creation, token) => {
    const outcome = (isFor: 'creation' | 'token') => reasonOf(Promise.resolve().then(() => requireRoom(store(room), isFor)))
    expect([await outcome('creation'), await outcome('token')]).toEqual([creation, token])
  })

  test('a database has no state here, and refuses by itself', async () => {
    expect(await reasonOf(Promise.resolve().then(() => requireRoom({}, 'creation')))).toBe('done')
    await using registry = await startRegistry({ servers: 1 })
    const [server] = registry.servers
    if (!server) throw new Error('no server runs')
    expect(await whyNotReady({ storage: {}, trustLog: server.trustLog, witnessState: () => undefined })).toBeUndefined()
  })
})
