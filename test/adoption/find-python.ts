import { spawnSync } from 'node:child_process'

const NEEDED = 'import httpx, joserfc, websockets'

/** A Python that has what examples/python needs. One that `CREDENCE_TEST_PYTHON` names must have it; else python3 of the path may. */
export function findPython(): string | undefined {
  const named = process.env.CREDENCE_TEST_PYTHON
  const python = named ?? 'python3'
  const { status, stderr, error } = spawnSync(python, ['-c', NEEDED], { encoding: 'utf8', timeout: 30_000 })
  if (status === 0) return python
  if (named !== undefined) throw new Error(`CREDENCE_TEST_PYTHON cannot run examples/python: ${error?.message ?? stderr}`)
  return undefined
}
