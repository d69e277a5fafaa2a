import type { Command } from 'commander'
import { printLines } from '../../output.js'

/** `credence admin shard`. */
export function adminShard(admin: Command): void {
  admin
    .command('shard')
    .description('print the MongoDB shell commands that shard the collections; nothing is changed')
    .requiredOption('--store <url>', 'mongodb://…/<database>')
    .action(async ({ store }: { readonly store: string }) => {
      const { shardDeployment } = await import('../../../operations/shard.js')
      printLines(...shardDeployment(store))
    })
}
