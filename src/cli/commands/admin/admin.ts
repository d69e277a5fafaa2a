import type { Command } from 'commander'
import { adminCopy } from './copy.js'
import { adminMigrate } from './migrate.js'
import { adminOrganisation } from './organisation.js'
import { adminRestore } from './restore.js'
import { adminShard } from './shard.js'

/** What is done to the data of a registry; needs its store and no profile. What does it is loaded by the command that needs it. */
export function adminCommands(program: Command): void {
  const admin = program.command('admin').description('the data of a registry: restore, copy, migrate, shard, export, erase')
  adminRestore(admin)
  adminMigrate(admin)
  adminShard(admin)
  adminCopy(admin)
  adminOrganisation(admin)
}
