import type { Command } from 'commander'
import { collect } from '../context.js'

/** The flags of `credence serve`; each is a setting of server/config.ts. */
interface ServeFlags {
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly witness?: string
  readonly witnessFor?: readonly string[]
  readonly issuer?: string
  readonly host?: string
  readonly port?: string
  readonly adminPort?: string
  readonly logLevel?: string
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
      'file or registry that remembers the newest log position (default: witness.json in the data directory)',
    )
    .option('--witness-for <url>', 'issuer of a registry whose witness this registry is (repeatable)', collect)
    .option('--issuer <url>', 'public URL of the registry: an https origin without a path')
    .option('--host <host>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <port>', 'port to listen on (default: 4000)')
    .option('--admin-port <port>', 'port of /livez and /readyz on loopback (default: 4001)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (default: info)')
    .option('--dev', 'development mode: http on loopback')
    .action(runServe)
}

/** Runs the registry until SIGTERM or SIGINT, then drains and closes. */
async function runServe({ config: file, data, ...settings }: ServeFlags): Promise<void> {
  const [{ parseConfig }, { serve }] = await Promise.all([import('../../server/config.js'), import('../../server/main.js')])
  const registry = await serve(parseConfig({ ...settings, ...(data !== undefined && { dataDirectory: data }) }, file))
  // The handlers are set before the lines below are printed, because a supervisor may send SIGTERM as soon as it reads those.
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  process.stdout.write(`registry   ${registry.issuer}\nadmin      ${registry.adminUrl}\n`)
  if (registry.firstCode)
    process.stdout.write(
      `first code ${registry.firstCode}   (15 minutes, five tries: credence login --registry ${registry.issuer} --code …)\n`,
    )
  process.stdout.write('serving\n')
  await stopped
  await registry.close()
}
