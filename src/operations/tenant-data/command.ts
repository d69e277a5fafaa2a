import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { OrgId } from '../../protocol/ids.js'
import type { Config } from '../../server/config.js'
import { openStore, requireStoreFile } from '../../server/open-store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { writeLines } from '../export-lines.js'
import { type Erased, eraseOrganisation } from './erase.js'
import { exportOrganisation } from './export.js'

interface TenantOptions {
  readonly config: Config
  readonly org: string
  readonly log?: Log
}

/**
 * `credence admin export`: writes the organisation's data as JSON lines to the new file `to`. Returns the last line, which has the
 * counts.
 */
export const exportTenantData = ({ org, to, ...options }: TenantOptions & { readonly to: string }): Promise<object> =>
  withStore(options, (storage) => writeLines(exportOrganisation(storage, requireOrgId(org), systemClock.now()), to))

/** `credence admin erase`: erases the data of a revoked organisation. */
export const eraseTenantData = ({ org, ...options }: TenantOptions): Promise<Erased> =>
  withStore(options, (storage) => eraseOrganisation(storage, requireOrgId(org)))

const requireOrgId = (org: string): OrgId =>
  OrgId.safeParse(org).data ?? refuse('bad_input', `${org} is not the id of an organisation (expected "org_" and 22 characters)`)

async function withStore<T>(
  { config, log = silentLog }: Omit<TenantOptions, 'org'>,
  work: (storage: BulkReadableStorage) => Promise<T>,
): Promise<T> {
  requireStoreFile(config)
  const storage = await openStore(config, log, { isLongRunning: true })
  try {
    return await work(storage)
  } finally {
    await storage.close()
  }
}
