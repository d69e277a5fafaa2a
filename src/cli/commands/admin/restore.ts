import type { Command } from 'commander'
import { print } from '../../context.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './log.js'

interface RestoreFlags extends StoreFlags {
  readonly witness?: string
  readonly issuer?: string
  readonly mirror?: string
  readonly hold?: boolean
}

/** `credence admin restore`. */
export function adminRestore(admin: Command): void {
  const command = admin
    .command('restore')
    .description('after a backup was put back: a new epoch, in which nothing that was ended since returns')
  storeFlags(command)
    .option('--witness <file or url>', 'as the server has it')
    .option('--issuer <url>', 'as the server has it, where its witness is another registry')
    .option('--mirror <file>', 'what `credence log mirror` has kept')
    .option('--hold', 'where endings may be missing, hold everything that lasts: agents are suspended, keys and members ended')
    .action(async ({ witness, issuer, mirror, hold, ...flags }: RestoreFlags) => {
      const { restore } = await import('../../../operations/restore/restore.js')
      const restored = await restore(configOf(flags, { witness, issuer }), mirror, { mayHold: hold === true, log: adminLog })
      print(flags, restored)
      if (!flags.json) process.stdout.write(`${restored.isComplete ? COMPLETE : INCOMPLETE}\n`)
    })
}

const COMPLETE = 'Nothing that anybody can prove is missing. Every token is dead; agents and members go on with new ones.'
const INCOMPLETE = `Endings may be missing, so everything that lasts is held: agents are suspended, members, keys, introductions and tasks are ended.
The next start prints a one-time code for the first operator (credence login); it invites administrators, who reinstate their agents and register keys.`
