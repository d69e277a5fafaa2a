import type { Command } from 'commander'
import { parseConfig } from '../config.js'
import { eraseData, exportData } from '../organisation-data.js'
import { print } from './context.js'

interface StoreFlags {
  readonly org: string
  readonly config?: string
  readonly data?: string
  readonly store?: string
  readonly json?: boolean
}

/** `credence admin export` and `credence admin erase`. */
export function adminOrganisation(admin: Command): void {
  const command = (name: string, text: string): Command =>
    admin
      .command(name)
      .description(text)
      .requiredOption('--org <id>', 'whose data')
      .option('--config <file>')
      .option('--data <folder>', 'data directory (default .credence)')
      .option('--store <url>', 'mongodb://…/<database>, as the server has it')
      .option('--json', 'print JSON')
  command('export', 'the data of one organisation, as JSON lines')
    .requiredOption('--to <file>', 'is made; must not be there')
    .action(async ({ to, ...flags }: StoreFlags & { readonly to: string }) => {
      print(flags, await exportData(configOf(flags), flags.org, to))
    })
  command('erase', 'erases the data of one organisation that has ended; what must stay is said').action(async (flags: StoreFlags) => {
    const erased = await eraseData(configOf(flags), flags.org)
    print(flags, erased)
    if (!flags.json) process.stdout.write(`${KEPT}${erased.left > 0 ? `\n${LEFT}` : ''}\n`)
  })
}

const configOf = ({ config: file, data, store }: StoreFlags) =>
  parseConfig({ dev: true, ...(data && { dataDirectory: data }), ...(store && { store }) }, file)

const KEPT =
  'Kept: its handles in the log (random names), rows of the audit (ids, moments, short facts: their chain covers each), its id under the name (erased), and records of others that name it, without its texts.'
const LEFT = 'Left: what an instance has half done. Let a registry run for a minute, then erase again.'
