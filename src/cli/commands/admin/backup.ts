import type { Command } from 'commander'
import { print, printErrorLines, printLines, standardOutput, withProgress } from '../../output.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'

/** `credence admin backup`. */
export function adminBackup(admin: Command): void {
  const command = admin
    .command('backup')
    .argument('<file>', 'new file, or - for standard output')
    .description('copy the SQLite file of a registry, which may run meanwhile; the copy holds its private keys')
  storeFlags(command).action(async (file: string, flags: StoreFlags) => {
    const { backupStore } = await import('../../../operations/backup/backup.js')
    const result = await withProgress('copying', () => backupStore(configOf(flags), file === '-' ? standardOutput() : file))
    if (file !== '-') print(flags, result)
    if (!flags.json) (file === '-' ? printErrorLines : printLines)(`The backup ends at entry ${result.position} of ${result.time}.`)
  })
}
