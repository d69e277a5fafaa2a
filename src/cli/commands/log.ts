import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import {
  fetchRegistryKeys,
  isContinued,
  issuerOf,
  newLogCopy,
  parseCheckpoint,
  readCheckpoint,
  verifyWholeLog,
} from '../../client/index.js'
import { refuse } from '../../errors.js'
import { waitingClock } from '../../lib/clock.js'
import { mirrorFile } from '../../trust-log/recovery/mirror-file.js'
import { type CommonFlags, print, textOfFile } from '../context.js'

interface LogFlags extends CommonFlags {
  readonly registry: string
  readonly since?: string
  readonly save?: string
}

/** What anybody may check of a registry's log; needs no profile. */
export function logCommands(program: Command, common: (command: Command) => Command): void {
  const log = program.command('log').description('the trust log: checkpoint, verify, mirror')
  common(log.command('checkpoint'))
    .description('the newest checkpoint, its signature checked')
    .requiredOption('--registry <url>')
    .option('--save <file>', 'keep it, to check later that the log only grew')
    .action(async (flags: LogFlags) => {
      const { note, ...checkpoint } = await readCheckpoint(await sourceOf(flags))
      if (flags.save) writeFileSync(flags.save, note)
      print(flags, checkpoint)
    })
  common(log.command('mirror'))
    .description('keeps a verified copy of the log, and goes on as it grows: what a restore merges')
    .requiredOption('--registry <url>')
    .requiredOption('--to <file>')
    .option('--once', 'stop when the copy has what the checkpoint says')
    .action(mirror)
  common(log.command('verify'))
    .description('reads every entry and computes the root; with --since also that the log continues that checkpoint')
    .requiredOption('--registry <url>')
    .option('--since <file>', 'an earlier checkpoint')
    .action(verify)
}

interface MirrorFlags extends LogFlags {
  readonly to: string
  readonly once?: boolean
}

const MIRROR_MS = 1000

async function mirror(flags: MirrorFlags): Promise<void> {
  const file = mirrorFile(flags.to)
  const copy = newLogCopy(file.read())
  for (;;) {
    // Keys are read anew: they rotate
    const added = await copy.catchUp(await sourceOf(flags), file.append)
    if (added > 0 || flags.once) print(flags, { at: copy.at, added })
    if (flags.once) return
    await waitingClock.after(MIRROR_MS)
  }
}

const sourceOf = async ({ registry }: LogFlags) => ({ issuer: issuerOf(registry), keys: await fetchRegistryKeys(registry, 'log') })

async function verify(flags: LogFlags): Promise<void> {
  const source = await sourceOf(flags)
  const { checkpoint, entries } = await verifyWholeLog(source)
  if (flags.since) {
    const older = await parseCheckpoint(textOfFile(flags.since), source)
    if (!(await isContinued(source, older, checkpoint))) refuse('checkpoint_invalid', 'this log does not continue the earlier checkpoint')
  }
  print(flags, { verified: true, entries, root: checkpoint.root, epoch: checkpoint.epoch })
}
