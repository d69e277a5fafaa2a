import { isRefusal } from '../../errors.js'
import type { Cursor, Page } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type AdmissionsDeps, usesOf } from './admissions.js'
import type { ClientDocument } from './store.js'

export interface EndUnusedDeps extends AdmissionsDeps {
  readonly trustLog: Pick<TrustLog, 'now' | 'end'>
}

/** Cursor before the first use: documents of an earlier build, without `usedAt`, come first in the index and are kept. */
const BEFORE_USED: Cursor = [0, '']
const PAGE = 100
const UNUSED_SECONDS = 90 * 86_400

/**
 * Ends the external clients whose metadata document was not used for 90 days, and removes the document and the admissions. Agents that were admitted
 * stay, but they cannot authenticate until their URL is admitted again. Called by a timer.
 */
export async function endUnusedClients(deps: EndUnusedDeps): Promise<void> {
  const before = deps.trustLog.now() - UNUSED_SECONDS
  for (let after: Cursor | undefined = BEFORE_USED; after !== undefined; ) {
    const page: Page<ClientDocument> = await deps.clientDocuments.find('used', { where: {}, after, limit: PAGE })
    const unused = page.items.filter(({ usedAt = Number.POSITIVE_INFINITY }) => usedAt <= before)
    for (const document of unused) await endClient(deps, document)
    after = unused.length < page.items.length ? undefined : page.next
  }
}

async function endClient(deps: EndUnusedDeps, { uri, id, handle, usedAt }: ClientDocument): Promise<void> {
  const { clientDocuments, clientUses, trustLog } = deps
  const uses = await usesOf(deps, id)
  const operations = [
    clientDocuments.taking(uri, { handle, usedAt: usedAt ?? null }),
    ...uses.map(({ id, agentId }) => clientUses.taking(id, { agentId: agentId ?? null })),
  ]
  try {
    await trustLog.end({ type: 'client.revoked', ends: [{ handle }], operations })
  } catch (error) {
    // Used or admitted meanwhile
    if (!isRefusal(error) || error.reason !== 'conflict') throw error
  }
}
