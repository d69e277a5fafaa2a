import type { Command } from 'commander'
import type { CheckResult } from '../../../operations/check/check.js'
import { print, printLines, showStep } from '../../output.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './admin-log.js'

/** `credence admin check`. Exits with 1 if something is damaged. */
export function adminCheck(admin: Command): void {
  const command = admin
    .command('check')
    .argument('[file]', 'backup to examine, in place of the store')
    .description(
      'examine the store of a stopped registry, or a backup: log, documents, keys, audit chains, indexes, search rows; nothing is changed',
    )
  storeFlags(command).action(async (file: string | undefined, flags: StoreFlags) => {
    const { checkStore } = await import('../../../operations/check/check.js')
    const onProgress = ({ step, done }: { readonly step: string; readonly done: number }) => showStep(done > 0 ? `${step} ${done}` : step)
    const result = await checkStore({ config: configOf(flags), file, log: adminLog, onProgress })
    if (!result.isSound) process.exitCode = 1
    if (flags.json) print(flags, result)
    else printLines(...report(result))
  })
}

function report({ isSound, position, time, checked, faults, faultsInAll, notChecked }: CheckResult): readonly string[] {
  return [
    ...faults.map(({ part, where, text }) => `${part}  ${where}  ${text}`),
    ...(faultsInAll > faults.length ? [`and ${faultsInAll - faults.length} more`] : []),
    `Checked ${checked.blocks} blocks, ${checked.documents} documents and the chains of ${checked.auditRows} audit rows${position === undefined ? '' : `, up to entry ${position} of ${time}`}.`,
    ...notChecked.map((what) => `Not checked: ${what}.`),
    ...(isSound ? ['No damage was found.'] : faults.every(({ isDerived }) => isDerived) ? REBUILD : RESTORE),
  ]
}

const REBUILD = [
  'Only indexes and search rows are damaged. Stop the registry and make them anew: credence admin dump --to <file> --seal, then credence admin load --from <file> into an empty data directory.',
]
const RESTORE = [
  'Data is damaged. Put the newest backup in place that passes credence admin check <file>, and run: credence admin restore. Check the disk before.',
]
