import type { Command } from 'commander'
import { adminBackup } from './backup.js'
import { adminCheck } from './check.js'
import { adminDump } from './dump.js'
import { adminOrganisation } from './organisation.js'
import { adminResetClock, adminRestore } from './restore.js'
import { adminShard } from './shard.js'

/** `credence admin …`: commands that open the store directly and need no profile. Each command loads its operation only when it runs. */
export function adminCommands(program: Command): void {
  const admin = program
    .command('admin')
    .description('work on the store of a registry: back up, check, dump, load, restore, reset the clock, shard, export, erase')
  adminBackup(admin)
  adminCheck(admin)
  adminRestore(admin)
  adminResetClock(admin)
  adminDump(admin)
  adminShard(admin)
  adminOrganisation(admin)
}
