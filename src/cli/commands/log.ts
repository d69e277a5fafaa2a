import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import {
  fetchRegistryKeys,
  isConsistent,
  issuerOf,
  newLogCopy,
  parseCheckpoint,
  readCheckpoint,
  readCosignedCheckpoint,
  readVerifierKeys,
  verifyWholeLog,
} from '../../client/index.js'
import { refuse } from '../../errors.js'
import { clientClock } from '../../lib/clock.js'
import { mirrorFile } from '../../trust-log/recovery/mirror-file.js'
import { type CommonFlags, collect, fetchOf, registryOption, textOfFile } from '../context.js'
import { print, withProgress } from '../output.js'

interface LogFlags extends CommonFlags {
  readonly registry: string
}

/** `credence log …`: the public trust log of a registry. No profile is needed. */
export function logCommands(program: Command, common: (command: Command) => Command): void {
  const log = program.command('log').description('read, verify and mirror the trust log of a registry (no profile needed)')
  common(log.command('checkpoint'))
    .description('print the newest checkpoint after checking its signature')
    .addOption(registryOption())
    .option('--save <file>', 'save the checkpoint for a later `log verify --since`')
    .action(checkpoint)
  common(log.command('mirror'))
    .description('keep a verified copy of the log up to date as the log grows; `admin restore` can replay such a copy')
    .addOption(registryOption())
    .requiredOption('--to <file>', 'file of the copy; an existing copy is continued')
    .option('--once', 'stop when the copy has every entry of the current checkpoint')
    .action(mirror)
  common(log.command('verify'))
    .description('read every entry and recompute the root; with --since, also check that the log continues that checkpoint')
    .addOption(registryOption())
    .option('--since <file>', 'earlier checkpoint, saved by `log checkpoint --save`')
    .option('--cosigner <key>', 'verifier key of a witness that must have cosigned the log (repeatable)', collect)
    .action(verify)
  common(log.command('keys'))
    .description('print the origin and the verifier keys, for the configuration of witnesses (C2SP)')
    .addOption(registryOption())
    .action(async (flags: LogFlags) => print(flags, await readVerifierKeys(await sourceOf(flags))))
}

/** The registry's log keys are fetched for each use, because they rotate. */
async function sourceOf(flags: LogFlags) {
  const fetch = fetchOf(flags)
  return { issuer: issuerOf(flags.registry), keys: await fetchRegistryKeys(flags.registry, 'log', fetch), fetch }
}

async function checkpoint(flags: LogFlags & { readonly save?: string }): Promise<void> {
  const { note, ...read } = await readCheckpoint(await sourceOf(flags))
  if (flags.save) writeFileSync(flags.save, note)
  print(flags, read)
}

const MIRROR_INTERVAL_MS = 1000

async function mirror(flags: LogFlags & { readonly to: string; readonly once?: boolean }): Promise<void> {
  const file = mirrorFile(flags.to)
  const copy = newLogCopy(file.read())
  for (;;) {
    const source = await sourceOf(flags)
    const isFirst = copy.checkpoint === undefined
    const added = await withProgress('catching up', () => copy.catchUp(source, file.append))
    if (copy.checkpoint && (isFirst || added > 0)) await file.saveCheckpoint(copy.checkpoint.note)
    if (added > 0 || flags.once) print(flags, { seq: copy.seq, added })
    if (flags.once) return
    await clientClock.after(MIRROR_INTERVAL_MS)
  }
}

async function verify(flags: LogFlags & { readonly since?: string; readonly cosigner?: readonly string[] }): Promise<void> {
  const source = await sourceOf(flags)
  const { checkpoint: newest, entries } = await withProgress('reading the log', () => verifyWholeLog(source))
  if (flags.since) {
    const earlier = await parseCheckpoint(textOfFile(flags.since), source)
    if (!(await isConsistent(source, earlier, newest)))
      refuse('checkpoint_invalid', `the log does not continue the checkpoint in ${flags.since}: the registry shows a different history`)
  }
  const cosigned = flags.cosigner && (await readCosignedCheckpoint(source, flags.cosigner))
  if (cosigned && !(await isConsistent(source, cosigned, newest)))
    refuse('checkpoint_invalid', 'the log does not continue the cosigned checkpoint: the witness was shown a different history')
  print(flags, {
    verified: true,
    entries,
    root: newest.root,
    epoch: newest.epoch,
    ...(cosigned && { cosigned: { entries: cosigned.size, by: cosigned.cosignatures } }),
  })
}
