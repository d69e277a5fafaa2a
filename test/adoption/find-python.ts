import { spawnSync } from 'node:child_process'

const IMPORTS = 'import httpx, joserfc, websockets'

/** A Python with the packages of examples/python: that of CREDENCE_TEST_PYTHON, which must have them, or python3 if it has them. */
export function findPython(): string | undefined {
  const named = process.env.CREDENCE_TEST_PYTHON
  const python = named ?? 'python3'
  const { status, stderr, error } = spawnSync(python, ['-c', IMPORTS], { encoding: 'utf8', timeout: 30_000 })
  if (status === 0) return python
  if (named !== undefined) throw new Error(`CREDENCE_TEST_PYTHON cannot run examples/python: ${error?.message ?? stderr}`)
  return undefined
}
