import type { Command } from 'commander'
import { parseDataConfig } from '../config.js'
import { restore } from '../restore.js'
import { print } from './context.js'

interface RestoreFlags {
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly witness?: string
  readonly issuer?: string
  readonly mirror?: string
  readonly json?: boolean
}

/** `credence admin restore`. */
export function adminRestore(admin: Command): void {
  admin
    .command('restore')
    .description('after a backup was put back: a new epoch, in which nothing that was ended since returns')
    .option('--config <file>')
    .option('--data <folder>', 'data directory (default .credence)')
    .option('--store <url>', 'mongodb://…/<database>, as the server has it')
    .option('--witness <file or url>', 'as the server has it')
    .option('--issuer <url>', 'as the server has it, where its witness is another registry')
    .option('--mirror <file>', 'what `credence log mirror` has kept')
    .option('--json', 'print JSON')
    .action(async ({ config: file, data, store, witness, issuer, mirror, json = false }: RestoreFlags) => {
      const flags = {
        ...(data && { dataDirectory: data }),
        ...(store && { store }),
        ...(witness && { witness }),
        ...(issuer && { issuer }),
      }
      const restored = await restore(parseDataConfig(flags, file), mirror)
      print({ json }, restored)
      if (!json) process.stdout.write(`${restored.isComplete ? COMPLETE : INCOMPLETE}\n`)
    })
}

const COMPLETE = 'Nothing that anybody can prove is missing. Every token is dead; agents and members go on with new ones.'
const INCOMPLETE = `Endings may be missing, so everything that lasts is held: agents are suspended, members, keys, introductions and tasks are ended.
The next start prints a one-time code for the first operator (credence login); it invites administrators, who reinstate their agents and enrol keys.`
