import type { Command } from 'commander'
import { collect } from '../context.js'
import { printLines } from '../output.js'

/** The flags of `credence serve`; each is a setting of server/config.ts. */
interface ServeFlags {
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly witness?: string | false
  readonly witnessFor?: readonly string[]
  readonly cosigners?: readonly string[]
  readonly cosignFor?: readonly string[]
  readonly issuer?: string
  readonly host?: string
  readonly port?: string
  readonly adminPort?: string
  readonly logLevel?: string
  readonly limits?: string
  readonly outgoing?: string
  readonly bearerTokens?: string
  readonly freshness?: string
  readonly registration?: string
  readonly outgoingAllow?: readonly string[]
  readonly acceptClock?: boolean
  readonly dev?: boolean
}

/** `credence serve`. */
export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('run the registry')
    .option('--config <file>', 'JSON file with settings; flags and CREDENCE_* variables override it')
    .option('--data <folder>', 'data directory (default: .credence)')
    .option('--store <url>', 'mongodb://…/<database>, for several instances (default: a SQLite file in the data directory)')
    .option(
      '--witness <file or url>',
      'file outside the data directory, or registry, that remembers the newest log position (with --dev, default: witness.json in the data directory)',
    )
    .option('--no-witness', 'serve without a witness: an old copy of the data is served unnoticed')
    .option('--witness-for <url>', 'issuer of a registry that this one is a witness for (repeatable)', collect)
    .option('--cosigners <url,key>', 'witness that cosigns the checkpoints of the log: URL and verifier key (repeatable)', collect)
    .option('--cosign-for <key>', 'verifier key of a log whose checkpoints this registry cosigns (repeatable)', collect)
    .option('--issuer <url>', 'public URL of the registry: an https origin without a path')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on (default: 4000)')
    .option('--admin-port <port>', 'port of /livez, /readyz and /metrics, on loopback unless adminHost is set (default: 4001)')
    .option('--limits <on|off>', 'off removes rates and quotas, for benchmarks (default: on)')
    .option(
      '--outgoing <mode>',
      'requests to addresses that callers choose: off, allowlist or public (default: off, with --dev public and loopback)',
    )
    .option(
      '--outgoing-allow <host:port>',
      'server that may have a private address and another port (repeatable; needs --outgoing)',
      collect,
    )
    .option(
      '--bearer-tokens <on|off>',
      'on gives clients without DPoP bearer tokens for resources that accept them (default: off, with --dev on)',
    )
    .option('--freshness <off|daily>', 'daily compares published cards with those that the agents serve (default: off)')
    .option(
      '--registration <mode>',
      'who may register a client at /oauth/register: closed, token (with an initial access token of `registration issue`) or open (only with --dev) (default: closed)',
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default: info)')
    .option('--accept-clock', 'start although the clock of this machine is far from the time of the log; check the clock first')
    .option('--dev', 'development mode: http on loopback')
    .action(runServe)
}

/** Runs the registry until SIGTERM or SIGINT, then drains and closes. */
async function runServe({ config: file, data, outgoing, outgoingAllow, ...settings }: ServeFlags): Promise<void> {
  const [{ parseConfig }, { serve }] = await Promise.all([import('../../server/config.js'), import('../../server/main.js')])
  const config = parseConfig(
    {
      ...settings,
      ...(data !== undefined && { dataDirectory: data }),
      ...(outgoing !== undefined && outgoingAllow === undefined && { outgoing }),
      ...(outgoingAllow !== undefined && { outgoing: { mode: outgoing, allow: outgoingAllow } }),
    },
    file,
  )
  const registry = await serve(config)
  // The handlers are set before the lines below are printed, because a supervisor may send SIGTERM as soon as it reads those.
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  printLines(`registry   ${registry.issuer}`, `admin      ${registry.adminUrl}`)
  if (registry.firstCode)
    printLines(`first code ${registry.firstCode}   (15 minutes, five tries: credence login --registry ${registry.issuer} --code …)`)
  if (config.witness === false) printLines(NO_WITNESS)
  printLines('serving')
  await stopped
  await registry.close()
}

const NO_WITNESS = 'warning    no witness: an old copy of the data would be served, and revocations since would be lost (--witness)'
