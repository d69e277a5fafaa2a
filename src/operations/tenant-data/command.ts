// `credence admin export` and `erase`: the data of one organisation, over the store that the configuration names.
import { createWriteStream, existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { OrgId } from '../../protocol/ids.js'
import type { Config } from '../../server/config.js'
import { openStore, storePath } from '../../server/open-store.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { type Erased, eraseOrganisation } from './erase.js'
import { exportOrganisation } from './export.js'

export interface OrganisationOptions {
  readonly config: Config
  readonly org: string
  readonly log?: Log
}

/** Writes JSON lines into a file that is not there yet; how many documents of what. */
export const exportData = ({ org, to, ...options }: OrganisationOptions & { readonly to: string }): Promise<object> =>
  withStore(options, async (storage) => {
    let last: object = {}
    async function* lines() {
      for await (const one of exportOrganisation(storage, idOf(org), systemClock.now())) {
        last = one
        yield `${JSON.stringify(one)}\n`
      }
    }
    if (existsSync(to)) refuse('conflict', `${to} is there already`)
    // Under its own name only once it is whole. What a run that was killed has left is removed, never written into: it might be anybody's.
    const part = `${to}.part`
    await rm(part, { force: true })
    await pipeline(lines(), createWriteStream(part, { flags: 'wx', mode: 0o600, flush: true }))
    await rename(part, to)
    return last
  })

export const eraseData = ({ org, ...options }: OrganisationOptions): Promise<Erased> =>
  withStore(options, (storage) => eraseOrganisation(storage, idOf(org)))

const idOf = (org: string): OrgId => OrgId.safeParse(org).data ?? refuse('bad_input', `an organisation's id begins with org_: ${org}`)

async function withStore<T>(
  { config, log = silentLog }: Omit<OrganisationOptions, 'org'>,
  work: (storage: ReadableStorage) => Promise<T>,
): Promise<T> {
  if (config.store === undefined) requireFile(storePath(config))
  const storage = await openStore(config, log, { isPatient: true })
  try {
    return await work(storage)
  } finally {
    await storage.close()
  }
}

/** It would be made, and hold nobody's data. */
const requireFile = (file: string): void => {
  if (!existsSync(file)) refuse('unavailable', `${file} is not there`)
}
