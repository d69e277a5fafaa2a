import { CONSENTS } from '../../delegation/consents/store.js'
import { CAPABILITY_ASKS, CAPABILITY_REQUESTS } from '../../delegation/introductions/capability/store.js'
import { INTRODUCTIONS } from '../../delegation/introductions/store.js'
import { TASKS } from '../../delegation/tasks/store.js'
import { AGENTS } from '../../identity/agents/store.js'
import { REGISTERED_CLIENTS } from '../../identity/clients/store.js'
import { REGISTERED_KEYS } from '../../identity/keys/store.js'
import { MEMBERS } from '../../identity/members/store.js'
import { FAMILIES } from '../../oauth/families/store.js'
import { Handle } from '../../protocol/handles.js'
import { SIGNING_KEYS } from '../../signing-keys/key-store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { anySpecs } from '../../storage/storage.js'
import { documentsOf } from '../documents.js'

const WITH_HANDLES = anySpecs([
  AGENTS,
  MEMBERS,
  REGISTERED_CLIENTS,
  REGISTERED_KEYS,
  INTRODUCTIONS,
  CONSENTS,
  FAMILIES,
  CAPABILITY_ASKS,
  CAPABILITY_REQUESTS,
  TASKS,
  SIGNING_KEYS,
])

/** The handles of the records that a quarantine ends, and of the registry's signing keys. */
export async function handlesOfRecords(storage: BulkReadableStorage): Promise<readonly Handle[]> {
  const handles: Handle[] = []
  // The record of a self-registered agent has no handle of its own
  for (const spec of WITH_HANDLES)
    for await (const { doc } of documentsOf(storage, spec)) if (doc.handle !== undefined) handles.push(Handle.parse(doc.handle))
  return handles
}
