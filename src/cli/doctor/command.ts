import type { Command } from 'commander'
import { issuerOf } from '../../client/index.js'
import { clientClock } from '../../lib/clock.js'
import { collect } from '../context.js'
import { refuseUsage } from '../errors.js'
import { print, printLines, withProgress } from '../output.js'
import { configOf, type StoreFlags, storeFlags } from '../store-flags.js'
import { type Check, tryCheck, warn } from './check.js'

interface DoctorFlags extends StoreFlags {
  readonly registry?: string
  readonly witness?: string
  readonly cosigner?: readonly string[]
}

/** `credence doctor`. It needs no profile. */
export function doctorCommand(program: Command): void {
  storeFlags(program.command('doctor'))
    .description(
      'check a registry from outside (--registry) and on its machine (--data, --store, --config), and say what to do; exit code 1 if a check fails',
    )
    .option('--registry <url>', 'issuer URL of the registry (default: the issuer of the configuration)')
    .option('--witness <file or url>', 'the witness of the registry')
    .option('--cosigner <key>', 'verifier key of a witness that must have cosigned the log (repeatable)', collect)
    .action(doctor)
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const checks = await withProgress('checking', () => checksOf(flags))
  const isHealthy = checks.every(({ state }) => state !== 'fail')
  if (flags.json) print(flags, { ok: isHealthy, checks })
  else printLines(...checks.flatMap(linesOf))
  process.exitCode = isHealthy ? 0 : 1
}

const linesOf = ({ check, state, text, todo }: Check): string[] => [
  `${state.padEnd(4)}  ${check.padEnd(12)}  ${text}`,
  ...(todo === undefined ? [] : [`${' '.repeat(20)}→ ${todo}`]),
]

const WITNESS_TODO = 'Name the witness of the registry with --witness, and check that it can be reached.'

async function checksOf(flags: DoctorFlags): Promise<readonly Check[]> {
  const hasMachine = flags.data !== undefined || flags.store !== undefined || flags.config !== undefined
  const config = hasMachine ? configOf(flags, { witness: flags.witness }) : undefined
  const named = flags.registry ?? config?.issuer
  if (named === undefined && config === undefined)
    return refuseUsage('nothing to check: name a registry (--registry), or the data of one (--data, --store or --config)')
  const { checkRegistry, checkWitness } = await import('./remote.js')
  const { version } = await import('../../server/services.js')
  const issuer = named === undefined ? undefined : issuerOf(named)
  const checks: Check[] = []
  if (issuer !== undefined) checks.push(...(await checkRegistry({ issuer, clock: clientClock, version, cosigners: flags.cosigner ?? [] })))
  if (config === undefined) return checks
  const { checkMachine } = await import('./local.js')
  const { openWitness } = await import('../../server/open-store.js')
  checks.push(...(await checkMachine(clientClock, config)))
  const witness = issuer === undefined ? undefined : openWitness({ ...config, issuer })
  if (witness !== undefined && issuer !== undefined)
    checks.push(
      await tryCheck('witness', WITNESS_TODO, async () => {
        const head = await witness.read()
        return head === undefined ? warn('witness', witness.emptyText, WITNESS_TODO) : checkWitness(clientClock, issuer, witness.name, head)
      }),
    )
  return checks
}
