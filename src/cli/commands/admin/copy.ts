import type { Command } from 'commander'
import type { CopyOptions, Progress } from '../../../operations/copy/command.js'
import { print, printErrorLines, printLines } from '../../output.js'
import { adminLog } from './admin-log.js'

type CopyFlags = Omit<CopyOptions, 'onProgress'> & { readonly json?: boolean }

/** `credence admin copy`. */
export function adminCopy(admin: Command): void {
  admin
    .command('copy')
    .description('move a registry from a SQLite file into an empty MongoDB database; run the command again if it was interrupted')
    .requiredOption('--from <source>', 'sqlite:<file>')
    .requiredOption('--to <target>', 'mongodb://…/<database>, which must be empty')
    .option('--config <file>', 'configuration file of the server')
    .option('--witness <file or url>', 'witness of the source, and of the target afterwards (default: witness.json beside the file)')
    .option('--issuer <url>', 'issuer of the registry; required if its witness is another registry')
    .option('--rehearse', 'only copy and compare; the source stays unchanged')
    .option('--json', 'print JSON')
    .action(async ({ json = false, ...options }: CopyFlags) => {
      const onProgress = (progress: Progress) => printErrorLines(lineOf(progress))
      const { copyToMongo } = await import('../../../operations/copy/command.js')
      const copied = await copyToMongo({ ...options, onProgress, log: adminLog })
      print({ json }, copied)
      if (!json) printLines(OUTCOME_TEXTS[copied.outcome])
    })
}

const OUTCOME_TEXTS = {
  'already-moved':
    'An earlier run has moved the source to this database. Serve the database: credence serve --store <url> --witness <same witness>',
  rehearsed: 'Source and target are equal. The source is unchanged and may be served; run the command without --rehearse to move it.',
  moved:
    'Moved. The source is frozen and can no longer be served. Serve the database with the same witness: credence serve --store <url> --witness <same witness>',
}

const lineOf = ({ stage, collection, done }: Progress): string =>
  [stage, collection, done || undefined].filter((part) => part !== undefined).join(' ')
