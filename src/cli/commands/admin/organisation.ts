import type { Command } from 'commander'
import { confirmationOptions } from '../../context.js'
import { confirm } from '../../endings/confirm.js'
import { print, printLines } from '../../output.js'
import { configOf, type StoreFlags, storeFlags } from '../../store-flags.js'
import { adminLog } from './admin-log.js'

interface OrganisationFlags extends StoreFlags {
  readonly org: string
}

/** `credence admin export` and `credence admin erase`. */
export function adminOrganisation(admin: Command): void {
  const command = (name: string, text: string): Command =>
    storeFlags(admin.command(name).description(text).requiredOption('--org <id>', 'organisation'))
  command('export', 'write the data of one organisation to a file, as JSON lines')
    .requiredOption('--to <file>', 'file to write; it must not exist yet')
    .action(async ({ to, ...flags }: OrganisationFlags & { readonly to: string }) => {
      const { exportTenantData } = await import('../../../operations/tenant-data/command.js')
      print(flags, await exportTenantData({ config: configOf(flags), org: flags.org, to, log: adminLog }))
    })
  const erase = confirmationOptions(command('erase', 'erase the data of a revoked organisation, and print what is retained'))
  erase.action(async (flags: OrganisationFlags & { readonly yes?: boolean; readonly dryRun?: boolean }) => {
    const isConfirmed = await confirm(flags, async () => ({
      revokes: `all data of ${flags.org}`,
      endsWithIt: { retained: RETAINED },
      nameToType: flags.org,
    }))
    if (!isConfirmed) return
    const { eraseTenantData } = await import('../../../operations/tenant-data/command.js')
    const erased = await eraseTenantData({ config: configOf(flags), org: flags.org, log: adminLog })
    print(flags, erased)
    if (!flags.json) printLines(`Retained: ${RETAINED}`)
  })
}

const RETAINED =
  'its handles in the log (random ids), its audit rows (ids, times, short facts, and the notes that were given for endings; the hash chain covers each row), its id under the name (erased), and records of other organisations that name it, without its texts.'
