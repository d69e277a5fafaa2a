import { spawn, spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { JsonObject } from '../../src/lib/json.js'

const SCRIPT = resolve(import.meta.dirname, 'a2a_sdk.py')

/** A Python with the A2A SDK: that of CREDENCE_TEST_PYTHON, or python3, if it has the SDK. */
export function findPythonSdk(): string | undefined {
  const python = process.env.CREDENCE_TEST_PYTHON ?? 'python3'
  return spawnSync(python, ['-c', 'import a2a.utils.signing'], { timeout: 60_000 }).status === 0 ? python : undefined
}

interface Answer {
  readonly ok?: true
  readonly card?: JsonObject
  readonly error?: string
}

/** Runs the requests (see a2a_sdk.py) in one process. */
export async function runPythonSdk(python: string, requests: readonly object[]): Promise<Answer[]> {
  const child = spawn(python, ['-W', 'ignore', SCRIPT], { timeout: 120_000 })
  child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''))
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const lines = output.trim().split('\n')
  if (lines.length !== requests.length) throw new Error(`a2a_sdk.py failed: ${errors}`)
  return lines.map((line) => JSON.parse(line))
}
