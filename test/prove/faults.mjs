// Tests a real registry process with a full, read-only or damaged disk, and with five times the load that it can serve.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnNode } from '../child.mjs'
import { programFile } from '../program.mjs'
import { newCast, startRegistry, stopRegistry } from './kills.mjs'
import { freePort, pause } from './tools.mjs'

async function outcome(work) {
  try {
    await work()
    return 'done'
  } catch (error) {
    return `${error.status} ${error.reason}`
  }
}

/** Starts a registry that must fail. Returns its exit code and output. */
async function failingStart(data) {
  const child = spawnNode([programFile(), 'serve', '--dev', '--data', data, '--port', '0', '--admin-port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.on('data', (chunk) => {
    text += chunk
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  return { code, text }
}

/** Mounts a 4 MB disk. Undefined if this user may not mount one. */
function smallDisk(folder) {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  const remount = (...options) => execFileSync('mount', ['-o', `remount,${options.join(',')}`, folder], { stdio: 'ignore' })
  return {
    readOnly: () => remount('ro'),
    writable: () => remount('rw'),
    remove: () => execFileSync('umount', ['-l', folder], { stdio: 'ignore' }),
  }
}

/** Full disk: nothing is written partially, callers get 503, and with space again requests succeed. */
async function fullDisk(want) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-full-'))
  const disk = smallDisk(folder)
  if (disk === undefined) return 'not run: no disk can be mounted here'
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const data = join(folder, 'data')
  const registry = await startRegistry({ data, port })
  try {
    const cast = await newCast({ issuer, firstCode: registry.firstCode })
    const { taskId } = await cast.planner.tasks.create({ description: 'before' })
    const filler = join(folder, 'filler')
    const handle = openSync(filler, 'w')
    try {
      for (;;) writeSync(handle, Buffer.alloc(4096))
    } catch {
      // full
    }
    closeSync(handle)
    const created = []
    let refused
    for (let i = 0; i < 400 && refused === undefined; i++) {
      try {
        created.push((await cast.planner.tasks.create({ description: 'x'.repeat(800) })).taskId)
      } catch (error) {
        refused = error
      }
    }
    want(refused?.status === 503, `with a full disk the response is ${refused?.status} ${refused?.reason}`)
    want(registry.child.exitCode === null, 'the registry exited')
    const ended = await outcome(() => cast.planner.tasks.end(taskId))
    want(ended === 'done', `with a full disk the end of a task: ${ended}`)
    want(!existsSync(join(data, 'credence.reserve')), 'the reserve was not given up')
    rmSync(filler)
    let lastOutcome = ''
    for (let i = 0; i < 100 && lastOutcome !== 'done'; i++) {
      lastOutcome = await outcome(() => cast.planner.tasks.create({ description: 'space again' }))
      await pause(100)
    }
    want(lastOutcome === 'done', `with space again: ${lastOutcome}`)
    for (const taskId of created)
      want((await outcome(() => cast.planner.query('tasks.get', { taskId }))) === 'done', 'an acknowledged task is missing')
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    disk.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Read-only disk: a start is refused with a clear message, and the file is not changed. */
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

/** A damaged, truncated or foreign file: a start is refused with a clear message, and the file is not changed. */
async function damagedFile(want) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-damaged-'))
  const data = join(folder, 'data')
  const file = join(data, 'credence.db')
  const registry = await startRegistry({ data, port: await freePort() })
  await stopRegistry(registry)
  const good = readFileSync(file)
  const damages = {
    'pages overwritten': () => {
      const handle = openSync(file, 'r+')
      for (let offset = 4096; offset < good.length; offset += 8192) writeSync(handle, Buffer.alloc(2048, 0x5a), 0, 2048, offset)
      closeSync(handle)
    },
    truncated: () => truncateSync(file, Math.floor(good.length / 8192) * 4096),
    'another kind of file': () => writeFileSync(file, 'this is a letter, not a database\n'.repeat(200)),
  }
  try {
    for (const [name, damage] of Object.entries(damages)) {
      writeFileSync(file, good)
      damage()
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
    request(url, { agent }, (response) => {
      response.resume().on('end', () => done({ status: response.statusCode, headers: response.headers }))
    })
      .on('error', fail)
      .end()
  })

/** Five times the optimal number of callers: excess requests get 503 at once, and the throughput stays near its peak. */
async function overload(want, { seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'credence-overload-'))
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const registry = await startRegistry({ data: join(folder, 'data'), port })
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${registry.child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  try {
    await newCast({ issuer, firstCode: registry.firstCode })
    const names = Array.from({ length: 10 }, () => 'discovery.search').join(',')
    const input = JSON.stringify(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, { text: 'nowhere' }])))
    const url = `${issuer}/trpc/${names}?batch=1&input=${encodeURIComponent(input)}`
    const run = async (callers, duration) => {
      const until = performance.now() + duration * 1000
      const counts = { served: 0, refused: 0, other: 0, refusalTimes: [], times: [] }
      await Promise.all(
        Array.from({ length: callers }, async (_, i) => {
          await pause(i * 2) // spreads the connections
          while (performance.now() < until) {
            const startedAt = performance.now()
            // Ten anonymous searches in one request: expensive for the server, cheap for the sender
            const { status, headers } = await get(url)
            if (status === 200) {
              counts.served++
              counts.times.push(performance.now() - startedAt)
            } else if ((status === 429 || status === 503) && headers['retry-after']) {
              counts.refused++
              counts.refusalTimes.push(performance.now() - startedAt)
              await pause(1000 * Number(headers['retry-after']))
            } else if (status === 207) {
              // Some of the ten searches exceeded the limit on the age of a barrier read
              counts.refused++
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
    want(over.other === 0, `${over.other} responses were neither 200, nor 429 or 503 with Retry-After`)
    want(over.refused > 0, 'no request was refused')
    return `goodput ${Math.round(share * 100)} % of the peak (${Math.round(over.perSecond)}/s of ${Math.round(peak.perSecond)}/s), served p50 ${p50(over.times)} p99 ${p99(over.times)} ms; ${over.refused} refused, p99 ${p99(over.refusalTimes)} ms; memory ${Math.round(before)} → ${Math.round(memory())} MiB`
  } finally {
    await stopRegistry(registry, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

const FAULTS = { 'full disk': fullDisk, 'read-only disk': readOnlyDisk, 'damaged file': damagedFile, overload }

/** Runs each fault. Returns its violations and a summary. */
export async function runFaults({ seconds = 30, only = Object.keys(FAULTS) } = {}) {
  const found = []
  for (const name of only) {
    const faults = []
    const want = (holds, text) => holds || faults.push(text)
    const summary = await FAULTS[name](want, { seconds })
    found.push({ name, faults, summary: summary ?? '' })
  }
  return found
}
