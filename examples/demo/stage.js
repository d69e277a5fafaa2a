// The processes, ports and files of the demo, and claims that are asserted before they are printed.
import { fork, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
let claims = 0

/** Prints `text` if the claim is true; otherwise throws. */
export function claim(isTrue, text) {
  if (!isTrue) throw new Error(`NOT TRUE: ${text}`)
  claims++
  console.log(`  ✓ ${text}`)
}

/** The reason and text of a refusal. Throws if the work is not refused. */
export async function refusal(work) {
  let result
  try {
    result = await work()
  } catch (error) {
    return error.reason && error.reason !== 'Error' ? `${error.reason} ${error.message}` : error.message
  }
  throw new Error(`NOT TRUE: the call should have been refused, but returned ${JSON.stringify(result)}`)
}

/** Repeats the work until it is refused. Throws if a call that was sent at or after `moment` succeeds. */
export async function refusedWithin(moment, work) {
  for (;;) {
    const isLate = performance.now() >= moment
    try {
      const result = await work()
      if (isLate) throw new Error(`NOT TRUE: the call should have been refused by now, but returned ${JSON.stringify(result)}`)
    } catch (error) {
      if (error.message.startsWith('NOT TRUE')) throw error
      return refusal(() => Promise.reject(error))
    }
  }
}

export const chapter = (title) => console.log(`\n${title}`)
export const claimed = () => claims

export function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)))
  for (const row of rows)
    console.log(
      `  ${row
        .map((cell, i) => String(cell).padEnd(widths[i]))
        .join('  ')
        .trimEnd()}`,
    )
}

/** The range lies below the ephemeral ports, so that a server can be restarted on its port. */
const PORTS = [12_000, 32_000]

/** A port for a server whose address is named before it listens. */
export async function freePort() {
  for (;;) {
    const port = randomInt(...PORTS)
    const listener = createServer().listen(port, '127.0.0.1')
    const isFree = await once(listener, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    listener.close()
    await once(listener, 'close')
    return port
  }
}

/** Creates a stage. When it closes, or when this process exits, it kills every process that it has started. */
export async function newStage() {
  const folder = await mkdtemp(join(tmpdir(), 'credence-demo-'))
  const children = new Set()
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL')
  })
  const track = (child) => {
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }
  return {
    /** Starts a registry process on the embedded store. A restart uses the same data. */
    async registry() {
      const port = await freePort()
      const args = [
        'dist/cli/main.js',
        'serve',
        '--dev',
        '--data',
        join(folder, 'registry'),
        '--port',
        String(port),
        '--admin-port',
        '0',
        '--log-level',
        'warn',
      ]
      let child
      const start = async () => {
        child = track(spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }))
        let text = ''
        child.stdout.setEncoding('utf8')
        await new Promise((resolve, reject) => {
          child.once('exit', (code) => reject(new Error(`the registry exited with code ${code}`)))
          child.stdout.on('data', (chunk) => {
            text += chunk
            if (text.includes('serving')) resolve()
          })
        })
        return /^first code (\S+)/m.exec(text)?.[1]
      }
      return {
        issuer: `http://localhost:${port}`,
        firstCode: await start(),
        about: 'a process of its own on the embedded store',
        /** Kills the process with SIGKILL. */
        async kill() {
          child.kill('SIGKILL')
          await once(child, 'exit')
        },
        restart: start,
        close: async () => {},
      }
    },
    /** Starts an agent process; commands go over its IPC channel. */
    async agent(file, registration) {
      const env = { ...process.env, AGENT: JSON.stringify({ ...registration, store: join(folder, `${file}.db`) }) }
      const child = track(fork(join(root, 'examples/agents', file), { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
      const waiting = new Map()
      let calls = 0
      await new Promise((resolve, reject) => {
        child.once('exit', (code) => reject(new Error(`${file} exited with code ${code}`)))
        child.on('message', ({ ready, id, result, error }) => {
          if (ready) return resolve()
          const { done, fail } = waiting.get(id)
          waiting.delete(id)
          return error ? fail(Object.assign(new Error(error.message), { reason: error.reason })) : done(result)
        })
      })
      return (command, options = {}) =>
        new Promise((done, fail) => {
          const id = calls++
          waiting.set(id, { done, fail })
          child.send({ id, command, ...options })
        })
    },
    async close() {
      for (const child of children) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Repeats the work until it succeeds. Throws its last error after `seconds`. */
export async function untilDone(work, seconds = 15) {
  for (const until = performance.now() + seconds * 1000; ; ) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
