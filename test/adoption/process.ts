import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { END_WITH_PARENT } from '../child.mjs'

export interface Running extends AsyncDisposable {
  readonly child: ChildProcess
  /** Resolves with the match once the program's output contains it. Rejects if the program exits first. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>
  /** The program's output so far. */
  text(): string
}

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a program, which is killed when the test disposes of it. */
export function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>>): Running {
  // Programs in other languages have no such option
  const own = command === process.execPath ? [END_WITH_PARENT] : []
  const child = spawn(command, [...own, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...environment } })
  children.add(child)
  let text = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      text += chunk
      for (const listener of listeners) listener()
    })
  const exited = once(child, 'exit')
  return {
    child,
    text: () => text,
    wrote: (pattern) =>
      new Promise((resolve, reject) => {
        const search = () => {
          const found = pattern.exec(text)
          if (!found) return
          listeners.delete(search)
          resolve(found)
        }
        listeners.add(search)
        void exited.then(([code]) => reject(new Error(`${command} exited with code ${code}: ${text}`)))
        search()
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await exited
      children.delete(child)
    },
  }
}
