import { refuse } from '../../errors.js'
import type { BulkReadableStorage, StoreFault } from '../../storage/bulk.js'
import { COLLECTIONS } from '../collections.js'
import { documentFaults } from './documents.js'
import { logFaults } from './log.js'
import { registeredKeyFaults } from './registered-keys.js'

/** Refuses a store of which a block or a document is damaged, or that has a registered key which its log does not, before anything is written to it. */
export async function requireSound({ log, bulk }: Pick<BulkReadableStorage, 'log' | 'bulk'>): Promise<void> {
  for await (const fault of logFaults({ read: log.read }, () => undefined)) refuseFault(fault)
  const stored = await bulk.collections()
  for (const spec of COLLECTIONS.filter(({ name }) => stored.includes(name)))
    for await (const fault of documentFaults(bulk, spec, () => undefined)) refuseFault(fault)
  for await (const fault of registeredKeyFaults(bulk, log)) refuseFault(fault)
}

const refuseFault = ({ part, where, text }: StoreFault): never =>
  refuse(
    'conflict',
    `the backup is damaged (${part}, ${where}: ${text}). Nothing was written. credence admin check names all damage; use another backup`,
  )
