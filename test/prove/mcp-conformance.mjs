// The scenarios for authorization servers of the MCP conformance suite, run against a registry. npx fetches the suite, which needs Node 24.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { newStage } from '../../examples/demo/stage.js'

const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12'
/** Scenarios that do not apply. docs/CONFORMANCE.md gives the reasons. */
const NOT_APPLICABLE = ['authorization-code-grant']

/** Returns each check with its status, and a fault for each scenario that failed, was skipped without a reason, or is missing. */
export async function runMcpConformance() {
  const stage = await newStage()
  const folder = await mkdtemp(join(tmpdir(), 'credence-conformance-'))
  try {
    const { issuer } = await stage.registry()
    const args = ['--yes', '-p', 'node@24', '-p', SUITE, 'conformance', 'authorization', '--url', issuer, '--output-dir', folder]
    // A failed scenario ends the suite with 1; its file of checks says more
    const ended = await promisify(execFile)('npx', args, { timeout: 300_000 }).catch((error) => error)
    const checks = []
    for (const name of await readdir(folder)) {
      const scenario = /^authorization-server-(.*)-\d{4}-\d\d-\d\dT/.exec(name)?.[1] ?? name
      const found = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8'))
      checks.push(...found.map(({ id, status, errorMessage }) => ({ scenario, id, status, errorMessage })))
    }
    if (checks.length === 0) return { checks, faults: [`the suite did not run: ${ended.message ?? ended.stdout}`] }
    const faults = checks
      .filter(({ scenario, status }) => !(status === 'SUCCESS' || status === 'WARNING' || NOT_APPLICABLE.includes(scenario)))
      .map(({ scenario, id, status, errorMessage }) => `${scenario}, ${id}: ${status} ${errorMessage ?? ''}`)
    return { checks, faults }
  } finally {
    await stage.close()
    await rm(folder, { recursive: true, force: true })
  }
}
