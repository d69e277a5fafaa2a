import type { Command } from 'commander'

/** `credence admin shard`. */
export function adminShard(admin: Command): void {
  admin
    .command('shard')
    .description('print the MongoDB shell commands that shard the collections; nothing is changed')
    .requiredOption('--store <url>', 'mongodb://…/<database>')
    .action(async ({ store }: { readonly store: string }) => {
      const { shardDeployment } = await import('../../../operations/migrate.js')
      process.stdout.write(`${shardDeployment(store).join('\n')}\n`)
    })
}
