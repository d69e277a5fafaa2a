// Runs a program of bench/servers in its own process (on one core if `taskset` is installed, with the young heap that docs/OPERATIONS.md recommends)
// and talks to it by messages.
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const hasTaskset = spawnSync('taskset', ['-c', '0', 'true']).status === 0
export const pinned = hasTaskset ? 'one core (taskset)' : 'not pinned: no taskset here'

/** Starts the program. `ask(name)` calls the function of that name that the program passed to `serveCalls`. */
export async function startChild(program, options = {}, { core = 0 } = {}) {
  const path = fileURLToPath(new URL(`../servers/${program}`, import.meta.url))
  // BENCH_PROFILE=<folder> writes a .cpuprofile file, which Chromium's profiler opens
  const profile = process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : []
  const flags = [...profile, '--max-semi-space-size=64']
  const [command, args] = hasTaskset
    ? ['taskset', ['-c', String(core), process.execPath, ...flags, path]]
    : [process.execPath, [...flags, path]]
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, BENCH: JSON.stringify(options) },
  })
  const waiting = new Map()
  let number = 0
  let ready
  const startedMessage = new Promise((resolve, reject) => {
    ready = resolve
    child.once('exit', (code) => reject(new Error(`${program} exited with code ${code}`)))
  })
  child.on('message', ({ id, result, error, started }) => {
    if (started !== undefined) return ready(started)
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  const facts = await startedMessage
  return {
    facts,
    pid: child.pid,
    ask: (name, parameters) =>
      new Promise((resolve, reject) => {
        waiting.set(++number, { resolve, reject })
        child.send({ id: number, name, parameters })
      }),
    stop: async () => {
      child.removeAllListeners('exit')
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Runs in the child. Serves `functions`, and also `cpu` (microseconds so far) and `memory` (bytes). */
export function serveCalls(started, functions = {}) {
  const all = {
    cpu: () => {
      const { user, system } = process.cpuUsage()
      return user + system
    },
    memory: () => {
      globalThis.gc?.()
      return process.memoryUsage().rss
    },
    ...functions,
  }
  process.on('message', async ({ id, name, parameters }) => {
    try {
      process.send({ id, result: await all[name](parameters) })
    } catch (error) {
      process.send({ id, error: String(error.stack ?? error) })
    }
  })
  process.on('SIGTERM', () => process.exit(0))
  process.on('disconnect', () => process.exit(0))
  process.send({ started })
}

export const optionsOf = () => JSON.parse(process.env.BENCH ?? '{}')
