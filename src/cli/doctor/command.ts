import type { Command } from 'commander'
import { issuerOf } from '../../client/index.js'
import { clientClock } from '../../lib/clock.js'
import { AgentId } from '../../protocol/ids.js'
import { type CommonFlags, collect, openAgent, profileOptions } from '../context.js'
import { refuseUsage } from '../errors.js'
import { agentIdOf } from '../names.js'
import { print, printLines, withProgress } from '../output.js'
import { configOf, type StoreFlags, storeFlags } from '../store-flags.js'
import { type Check, tryCheck, warn } from './check.js'

interface DoctorFlags extends StoreFlags, Omit<CommonFlags, 'json'> {
  readonly registry?: string
  readonly agent?: string
  readonly witness?: string
  readonly cosigner?: readonly string[]
}

/** `credence doctor`. It needs no profile, except for the name of an agent. */
export function doctorCommand(program: Command): void {
  profileOptions(storeFlags(program.command('doctor')))
    .description(
      'check a registry from outside (--registry) and on its machine (--data, --store, --config), and say what to do; exit code 1 if a check fails',
    )
    .option('--registry <url>', 'issuer URL of the registry (default: the issuer of the configuration)')
    .option(
      '--agent <agent>',
      'check also the addresses in the public card of this agent, by id, or by name with the profile of its organisation',
    )
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
  const { issuer, agentId } = await targetOf(flags, config?.issuer)
  if (issuer === undefined && config === undefined)
    return refuseUsage('nothing to check: name a registry (--registry), or the data of one (--data, --store or --config)')
  const { checkRegistry, checkWitness } = await import('./remote.js')
  const { version } = await import('../../server/stores.js')
  const checks: Check[] = []
  if (issuer !== undefined) checks.push(...(await checkRegistry({ issuer, clock: clientClock, version, cosigners: flags.cosigner ?? [] })))
  if (issuer !== undefined && agentId !== undefined) {
    const { checkAgent } = await import('./agent.js')
    checks.push(...(await checkAgent({ issuer, clock: clientClock }, agentId)))
  }
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

interface Target {
  readonly issuer?: string
  readonly agentId?: AgentId
}

/** The registry and the agent to check. The name of an agent is looked up at the registry of the profile. */
async function targetOf({ json: _, ...flags }: DoctorFlags, configured: string | undefined): Promise<Target> {
  const { registry = configured, agent: named } = flags
  const issuer = registry === undefined ? {} : { issuer: issuerOf(registry) }
  if (named === undefined) return issuer
  const id = AgentId.safeParse(named)
  if (id.success) return { issuer: issuer.issuer ?? refuseUsage('name the registry of the agent (--registry)'), agentId: id.data }
  const { agent, profile } = await openAgent(flags)
  if ((issuer.issuer ?? profile.registry) !== profile.registry)
    refuseUsage(
      `the profile ${flags.profile} is of ${profile.registry}, not of ${issuer.issuer}: give the id of the agent, or another profile`,
    )
  return { issuer: profile.registry, agentId: AgentId.parse(await agentIdOf(agent, named)) }
}
