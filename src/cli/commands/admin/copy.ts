import type { Command } from 'commander'
import type { CopyOptions, Progress } from '../../../operations/copy/command.js'
import { print } from '../../context.js'
import { adminLog } from './log.js'

type CopyFlags = Omit<CopyOptions, 'onProgress'> & { readonly json?: boolean }

/** `credence admin copy`. */
export function adminCopy(admin: Command): void {
  admin
    .command('copy')
    .description('moves a registry from a file into a MongoDB deployment; run it again if it was interrupted')
    .requiredOption('--from <source>', 'sqlite:<file>')
    .requiredOption('--to <target>', 'mongodb://…/<database>, an empty one')
    .option('--config <file>', 'of the server')
    .option('--witness <file or url>', 'of the source now, of the target afterwards (default: witness.json beside the file)')
    .option('--issuer <url>', 'as the server has it, where its witness is another registry')
    .option('--rehearse', 'copy and compare, and leave the source as it is')
    .option('--json', 'print JSON')
    .action(async ({ json = false, ...options }: CopyFlags) => {
      const onProgress = (progress: Progress) => {
        process.stderr.write(`${lineOf(progress)}\n`)
      }
      const { copy } = await import('../../../operations/copy/command.js')
      const copied = await copy({ ...options, onProgress, log: adminLog })
      print({ json }, copied)
      if (!json) process.stdout.write(`${CLOSING_WORDS[copied.outcome]}\n`)
    })
}

const CLOSING_WORDS = {
  'moved-before': 'The source was moved to this deployment before. Serve it: credence serve --store <url> --witness <where it was>',
  rehearsed: 'Both hold the same. The source is as it was and may be served; run it again without --rehearse to move.',
  moved:
    'Moved. The source is sealed and refuses; serve the deployment with the same witness: credence serve --store <url> --witness <where it was>',
}

const lineOf = ({ stage, collection, done }: Progress): string =>
  [stage, collection, done || undefined].filter((part) => part !== undefined).join(' ')
