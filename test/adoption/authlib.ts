import { spawn, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'

const SCRIPT = resolve(import.meta.dirname, 'authlib_client.py')

/** That of CREDENCE_TEST_PYTHON, which must have Authlib, or python3 if it has it. */
export function findAuthlib(): string | undefined {
  const named = process.env.CREDENCE_TEST_PYTHON
  if (named !== undefined) return named
  return spawnSync('python3', ['-c', 'import authlib, httpx'], { timeout: 60_000 }).status === 0 ? 'python3' : undefined
}

/** Runs the client once and returns what it printed. */
export async function runAuthlib(python: string, given: object): Promise<unknown> {
  const child = spawn(python, ['-W', 'ignore', SCRIPT], { timeout: 60_000 })
  child.stdin.end(JSON.stringify(given))
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (output === '') throw new Error(`authlib_client.py failed: ${errors}`)
  return JSON.parse(output)
}
