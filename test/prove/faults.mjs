// What a real registry process does when its disk is full, read-only or damaged, and when five times as many call as it can serve.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { newCast, startRegistry, stopRegistry } from './kills.mjs'
import { freePort, pause } from './tools.mjs'

const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js')

async function outcome(work) {
  try {
    await work()
    return 'done'
  } catch (error) {
    return `${error.status} ${error.reason}`
  }
}

/** A start that is to fail: its exit code and what it said. */
async function failingStart(data) {
  const child = spawn(process.execPath, [MAIN, 'serve', '--dev', '--data', data, '--port', '0', '--admin-port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  const [code] = await once(child, 'exit')
  clearTimeout(timer)
  return { code, text }
}

/** A small disk of its own, where this user may mount one; undefined elsewhere. */
function smallDisk(folder) {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  const again = (...options) => execFileSync('mount', ['-o', `remount,${options.join(',')}`, folder], { stdio: 'ignore' })
  return {
    readOnly: () => again('ro'),
    writable: () => again('rw'),
    remove: () => execFileSync('umount', ['-l', folder], { stdio: 'ignore' }),
  }
}

/** Full: nothing is half-written, callers are told to come back, and with room again everything goes on. */
async function fullDisk(want) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-full-'))
  const disk = smallDisk(folder)
  if (disk === undefined) return 'not run: no disk can be mounted here'
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const data = join(folder, 'data')
  const registry = await startRegistry({ data, port })
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    const filler = join(folder, 'filler')
    const handle = openSync(filler, 'w')
    try {
      for (;;) writeSync(handle, Buffer.alloc(4096))
    } catch {
      // full
    }
    closeSync(handle)
    const told = []
    let refused
    for (let i = 0; i < 400 && refused === undefined; i++) {
      try {
        told.push((await cast.planner.tasks.create({ description: 'x'.repeat(800) })).taskId)
      } catch (error) {
        refused = error
      }
    }
    want(refused?.status === 503, `a full disk is answered ${refused?.status} ${refused?.reason}`)
    want(registry.child.exitCode === null, 'the registry ended')
    want(/cannot be written/.test(registry.log()), 'the log does not say that the disk is full')
    rmSync(filler)
    let later = ''
    for (let i = 0; i < 100 && later !== 'done'; i++) {
      later = await outcome(() => cast.planner.tasks.create({ description: 'room again' }))
      await pause(100)
    }
    want(later === 'done', `with room again: ${later}`)
    for (const taskId of told)
      want((await outcome(() => cast.planner.query('tasks.get', { taskId }))) === 'done', 'an acknowledged task is missing')
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    disk.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Read-only: refused in words at the start; while it runs, 503. */
async function readOnlyDisk(want) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-readonly-'))
  const disk = smallDisk(folder)
  if (disk === undefined) return 'not run: no disk can be mounted here'
  const data = join(folder, 'data')
  const registry = await startRegistry({ data, port: await freePort() })
  try {
    await stopRegistry(registry)
    const before = readFileSync(join(data, 'credence.db'))
    disk.readOnly()
    const { code, text } = await failingStart(data)
    want(code === 1 && /read-only/.test(text) && !/ {4}at /.test(text), `a read-only disk: exit ${code}, ${text.slice(0, 200)}`)
    want(readFileSync(join(data, 'credence.db')).equals(before), 'the file was changed')
    disk.writable()
    const again = await startRegistry({ data, port: await freePort() })
    await stopRegistry(again)
  } finally {
    disk.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Damaged, cut short, or no database at all: said in words, and left as it is. */
async function damagedFile(want) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-damaged-'))
  const data = join(folder, 'data')
  const file = join(data, 'credence.db')
  const registry = await startRegistry({ data, port: await freePort() })
  await stopRegistry(registry)
  const good = readFileSync(file)
  const harms = {
    'pages overwritten': () => {
      const handle = openSync(file, 'r+')
      for (let at = 4096; at < good.length; at += 8192) writeSync(handle, Buffer.alloc(2048, 0x5a), 0, 2048, at)
      closeSync(handle)
    },
    'cut short': () => truncateSync(file, Math.floor(good.length / 8192) * 4096),
    'another kind of file': () => writeFileSync(file, 'this is a letter, not a database\n'.repeat(200)),
  }
  try {
    for (const [name, harm] of Object.entries(harms)) {
      writeFileSync(file, good)
      harm()
      const before = readFileSync(file)
      const { code, text } = await failingStart(data)
      want(
        code === 1 && /damaged|not a Credence database/.test(text) && !/ {4}at /.test(text),
        `${name}: exit ${code}, ${text.slice(0, 200)}`,
      )
      want(readFileSync(file).equals(before), `${name}: the file was changed`)
    }
    writeFileSync(file, good)
    await stopRegistry(await startRegistry({ data, port: await freePort() }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const agent = new Agent({ keepAlive: true })
const get = (url) =>
  new Promise((done, fail) => {
    request(url, { agent }, (answer) => {
      answer.resume().on('end', () => done({ status: answer.statusCode, headers: answer.headers }))
    })
      .on('error', fail)
      .end()
  })

/** Five times the callers that it serves best with: they are turned away at once, and what is served stays near the peak. */
async function overload(want, { seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-overload-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const registry = await startRegistry({ data: join(folder, 'data'), port })
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${registry.child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  try {
    await newCast({ issuer, firstCode: registry.firstCode })
    const names = Array.from({ length: 10 }, () => 'discovery.search').join(',')
    const input = JSON.stringify(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, { text: 'nowhere' }])))
    const url = `${issuer}/trpc/${names}?batch=1&input=${encodeURIComponent(input)}`
    const run = async (callers, duration) => {
      const until = performance.now() + duration * 1000
      const counts = { served: 0, away: 0, other: 0, waits: [], times: [] }
      await Promise.all(
        Array.from({ length: callers }, async (_, i) => {
          await pause(i * 2) // not all connections in one moment
          while (performance.now() < until) {
            const at = performance.now()
            // Ten searches of a stranger in one request: much for the server, little for whoever sends it
            const { status, headers } = await get(url)
            if (status === 200) {
              counts.served++
              counts.times.push(performance.now() - at)
            } else if (status === 503 && headers['retry-after']) {
              counts.away++
              counts.waits.push(performance.now() - at)
              await pause(1000 * Number(headers['retry-after']))
            } else if (status === 207) {
              // Some of the ten came too late to be fresh
              counts.away++
              await pause(1000)
            } else counts.other++
          }
        }),
      )
      return { ...counts, perSecond: counts.served / duration }
    }
    await run(100, 1)
    const peak = await run(100, Math.min(seconds, 5))
    const before = memory()
    const over = await run(500, seconds)
    const share = over.perSecond / peak.perSecond
    const p50 = (list) => Math.round(list.sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0)
    const p99 = (list) => Math.round(list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)] ?? 0)
    want(over.other === 0, `${over.other} answers were neither 200 nor 503 with Retry-After`)
    want(over.away > 0, 'nobody was turned away')
    return `goodput ${Math.round(share * 100)} % of the peak (${Math.round(over.perSecond)}/s of ${Math.round(peak.perSecond)}/s), served p50 ${p50(over.times)} p99 ${p99(over.times)} ms; ${over.away} turned away, p99 ${p99(over.waits)} ms; memory ${Math.round(before)} → ${Math.round(memory())} MiB`
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

const FAULTS = { 'full disk': fullDisk, 'read-only disk': readOnlyDisk, 'damaged file': damagedFile, overload }

/** Each fault: what did not hold, and what it has to say. */
export async function runFaults({ seconds = 30, only = Object.keys(FAULTS) } = {}) {
  const found = []
  for (const name of only) {
    const faults = []
    const want = (holds, text) => holds || faults.push(text)
    const said = await FAULTS[name](want, { seconds })
    found.push({ name, faults, said: said ?? '' })
  }
  return found
}
