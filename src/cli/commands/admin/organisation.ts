import type { Command } from 'commander'
import { print } from '../../context.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './log.js'

interface OrganisationFlags extends StoreFlags {
  readonly org: string
}

/** `credence admin export` and `credence admin erase`. */
export function adminOrganisation(admin: Command): void {
  const command = (name: string, text: string): Command =>
    storeFlags(admin.command(name).description(text).requiredOption('--org <id>', 'whose data'))
  command('export', 'the data of one organisation, as JSON lines')
    .requiredOption('--to <file>', 'is made; must not be there')
    .action(async ({ to, ...flags }: OrganisationFlags & { readonly to: string }) => {
      const { exportData } = await import('../../../operations/tenant-data/command.js')
      print(flags, await exportData({ config: configOf(flags), org: flags.org, to, log: adminLog }))
    })
  command('erase', 'erases the data of one organisation that has ended; what must stay is said').action(
    async (flags: OrganisationFlags) => {
      const { eraseData } = await import('../../../operations/tenant-data/command.js')
      const erased = await eraseData({ config: configOf(flags), org: flags.org, log: adminLog })
      print(flags, erased)
      if (!flags.json) process.stdout.write(`${KEPT}${erased.left > 0 ? `\n${LEFT}` : ''}\n`)
    },
  )
}

const KEPT =
  'Kept: its handles in the log (random names), rows of the audit (ids, moments, short facts: their chain covers each), its id under the name (erased), and records of others that name it, without its texts.'
const LEFT = 'Left: what an instance has half done. Let a registry run for a minute, then erase again.'
