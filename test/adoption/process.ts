import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Running extends AsyncDisposable {
  readonly child: ChildProcess
  /** Resolves with what the pattern found, once the program has written it; rejects where it ends before. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>
  /** All that it has written so far. */
  text(): string
}

/** Another program, which is ended with the test. */
export function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>>): Running {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...environment } })
  let text = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      text += chunk
      for (const listener of listeners) listener()
    })
  const ended = once(child, 'exit')
  return {
    child,
    text: () => text,
    wrote: (pattern) =>
      new Promise((done, fail) => {
        const look = () => {
          const found = pattern.exec(text)
          if (!found) return
          listeners.delete(look)
          done(found)
        }
        listeners.add(look)
        void ended.then(([code]) => fail(new Error(`it ended with ${code}: ${text}`)))
        look()
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
