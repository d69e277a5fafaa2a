import type { Command } from 'commander'
import { adminCopy } from './copy.js'
import { adminMigrate } from './migrate.js'
import { adminOrganisation } from './organisation.js'
import { adminRestore } from './restore.js'
import { adminShard } from './shard.js'

/** `credence admin …`: commands that open the store directly and need no profile. Each command loads its operation only when it runs. */
export function adminCommands(program: Command): void {
  const admin = program.command('admin').description('work on the store of a registry: restore, migrate, shard, copy, export, erase')
  adminRestore(admin)
  adminMigrate(admin)
  adminShard(admin)
  adminCopy(admin)
  adminOrganisation(admin)
}
