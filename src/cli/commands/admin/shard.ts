import type { Command } from 'commander'

/** `credence admin shard`. */
export function adminShard(admin: Command): void {
  admin
    .command('shard')
    .description('prints the commands of the MongoDB shell that spread a deployment over shards; does nothing itself')
    .requiredOption('--store <url>', 'mongodb://…/<database>')
    .action(async ({ store }: { readonly store: string }) => {
      const { shardDeployment } = await import('../../../operations/migrate.js')
      process.stdout.write(`${shardDeployment(store).join('\n')}\n`)
    })
}
