// A registry in a process of its own on a disk that fills or fails: what /readyz, /livez, the log and the metrics say.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, ftruncateSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { END_WITH_PARENT } from '../child.mjs'
import { freePort } from '../free-port.mjs'
import { programFile } from '../program.mjs'
import { newCast, type Registry } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'
import { aPair, reasonOf } from '../stories/actors.js'

const MIB = 2 ** 20

/** Starts `credence serve`. `before` are shell commands that run in the process before Node. */
async function serve(data: string, before = '') {
  const [port, adminPort] = [await freePort(), await freePort()]
  const args = [programFile(), 'serve', '--dev', '--data', data, '--port', port, '--admin-port', adminPort, '--limits', 'off'].join(' ')
  const child = spawn('bash', ['-c', `${before} exec ${process.execPath} ${END_WITH_PARENT} ${args}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    output.stdout += text
  })
  child.stderr.on('data', (text) => {
    output.stderr += text
  })
  const exited = once(child, 'exit')
  const isUp = () => output.stdout.includes('serving') || child.exitCode !== null
  await expect.poll(isUp).toBe(true)
  const admin = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${adminPort}${path}`)
    return `${response.status} ${(await response.text()).trim()}`
  }
  return {
    output,
    /** Waits for the text in the log: it comes through a pipe, maybe later than a response that was sent after it. */
    logged: (text: string) => expect.poll(() => [text, output.stderr.split(text).length - 1]).toEqual([text, 1]),
    exitCode: () => child.exitCode,
    admin,
    metric: async (name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(await admin('/metrics'))?.[1]),
    world: async () => {
      const issuer = `http://localhost:${port}`
      const firstCode = /first code (\S+)/.exec(output.stdout)?.[1] ?? ''
      return { issuer, ...(await newCast({ issuer, firstCode })) } as Registry // what the actors use of it
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Fills the disk of a folder up to `left` bytes. */
function fill(folder: string, name: string, left: number): void {
  const file = openSync(join(folder, name), 'w')
  const chunk = Buffer.alloc(MIB / 4, 1)
  let size = 0
  try {
    while (freeIn(folder) > left) size += writeSync(file, chunk, 0, Math.min(chunk.length, freeIn(folder) - left))
  } catch {
    // No space is left
    ftruncateSync(file, size)
  }
  closeSync(file)
}
const freeIn = (folder: string): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** A small disk in memory; undefined where this process may not mount one. */
async function smallDisk(mib: number) {
  const folder = await tempFolder()
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder.path])
  if (status !== 0) {
    await folder[Symbol.asyncDispose]()
    return undefined
  }
  return {
    path: folder.path,
    [Symbol.asyncDispose]: async () => {
      spawnSync('umount', ['--lazy', folder.path])
      await folder[Symbol.asyncDispose]()
    },
  }
}

const disk = await smallDisk(176)
afterAll(() => disk?.[Symbol.asyncDispose]())
if (!disk) console.warn('\n*** NOT TESTED: a full and a read-only disk. This process may not mount a tmpfs (run as root on Linux). ***\n')

describe.skipIf(!disk)('a small disk', () => {
  const path = disk?.path ?? ''

  test('as the disk fills, first creations are refused, then tokens for other agents, and revocations last; space is noticed without a request', async () => {
    await using registry = await serve(join(path, 'data'))
    const { acme, planner, ocr, ...world } = await (async (one) => ({ ...one, ...(await aPair(one)) }))(await registry.world())
    const victims = await Promise.all(Array.from({ length: 4 }, () => world.agent({ registeredBy: acme })))
    const create = () => reasonOf(acme.mutate('agents.register', { name: `x${Math.trunc(freeIn(path))}`, ceiling: {} }))
    const exchange = () => reasonOf(world.as(planner).exchange({ audience: ocr.audience }))
    const revoke = () => acme.mutate('agents.revoke', { agentId: victims.pop()?.agentId })
    await expect.poll(() => registry.metric('credence_disk_reserve_bytes')).toBe(16 * MIB)
    expect(await exchange()).toBe('done')

    fill(path, 'filler', 40 * MIB)
    await expect.poll(create).toBe('unavailable')
    // A row for each refused creation would fill the disk
    const { items } = await acme.query<{ items: readonly { outcome: string }[] }>('audit.list', { action: 'agents.register' })
    expect(items.filter(({ outcome }) => outcome === 'refused')).toEqual([])
    expect(await exchange()).toBe('done')
    await revoke()
    expect(await registry.admin('/readyz')).toBe('200 ok')

    fill(path, 'filler-2', 0)
    for (let i = 0; i < 400 && (await registry.metric('credence_disk_reserve_bytes')) > 0; i++) await world.as(acme).token()
    expect(await registry.metric('credence_disk_reserve_bytes')).toBe(0)
    await registry.logged('the reserve was given up')
    expect(await exchange()).toBe('unavailable')
    expect(await reasonOf(world.as(acme).token())).toBe('done')
    await revoke()
    expect(await registry.admin('/readyz')).toBe('200 ok')

    fill(path, 'filler-3', 0)
    await expect.poll(() => registry.admin('/readyz'), { interval: 200 }).toMatch(/^503 not ready: the disk of the store is full/)
    expect(await registry.metric('credence_store_writable')).toBe(0)
    expect(await registry.metric('credence_ready')).toBe(0)
    expect(await registry.admin('/livez')).toBe('200 ok')
    await registry.logged('the store cannot be written')

    for (const name of ['filler', 'filler-2', 'filler-3']) rmSync(join(path, name))
    await expect.poll(() => registry.admin('/readyz')).toBe('200 ok')
    await registry.logged('the store can be written again')
    await expect.poll(() => registry.metric('credence_disk_reserve_bytes')).toBe(16 * MIB)
    expect(await registry.metric('credence_store_writable')).toBe(1)
    expect(await create()).toBe('done')
    await revoke()
  }, 180_000)

  afterEach(() => {
    for (const name of ['filler', 'filler-2', 'filler-3']) rmSync(join(path, name), { force: true })
  })

  test('a start on a full disk gives up the reserve, so that revocations still succeed', async () => {
    const before = await serve(join(path, 'data-2'))
    await expect.poll(() => before.metric('credence_disk_reserve_bytes')).toBe(16 * MIB)
    await before[Symbol.asyncDispose]()
    fill(path, 'filler', 0)
    await using registry = await serve(join(path, 'data-2'))
    await registry.logged('the reserve was given up')
    expect(registry.output.stderr).not.toContain('its disk is full')
    expect(await registry.admin('/readyz')).toBe('200 ok')
  }, 180_000)

  test('a start on a read-only disk is refused in one sentence', async () => {
    expect(spawnSync('mount', ['-o', 'remount,ro', path]).status).toBe(0)
    try {
      await using registry = await serve(join(path, 'data'))
      expect(registry.exitCode()).toBe(1)
      await registry.logged('read-only')
      expect(registry.output.stderr.trim().split('\n').length).toBe(1)
    } finally {
      spawnSync('mount', ['-o', 'remount,rw', path])
    }
  }, 180_000)
})

test('a disk that fails while the registry runs: /readyz and /livez say so, so that a supervisor restarts the process', async () => {
  await using folder = await tempFolder()
  // A file may not grow past 4 MiB: the write-ahead log soon gets an error that is not "disk full"
  await using registry = await serve(join(folder.path, 'data'), "trap '' XFSZ; ulimit -f 4096;")
  const world = await registry.world()
  for (let i = 0; i < 400 && (await registry.admin('/readyz')) === '200 ok'; i++) await reasonOf(world.as(world.operator).token())
  expect(await registry.admin('/readyz')).toMatch(/^503 not ready: the store cannot be written \(.*\): repair its disk, then restart/)
  expect(await registry.admin('/livez')).toMatch(/^503 not alive: the store cannot be written/)
  expect(await registry.metric('credence_store_writable')).toBe(0)
  expect(await reasonOf(world.as(world.operator).token())).toBe('unavailable')
  await registry.logged('the store cannot be written')
}, 180_000)
