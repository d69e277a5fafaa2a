import type { Command } from 'commander'
import { shardDeployment } from '../deployment.js'

/** `credence admin shard`. */
export function adminShard(admin: Command): void {
  admin
    .command('shard')
    .description('prints the commands of the MongoDB shell that spread a deployment over shards; does nothing itself')
    .requiredOption('--store <url>', 'mongodb://…/<database>')
    .action(({ store }: { readonly store: string }) => {
      process.stdout.write(`${shardDeployment(store).join('\n')}\n`)
    })
}
