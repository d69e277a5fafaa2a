import { digestOfJson } from '../../credentials/jose/digest.js'
import { metadataDigest } from '../../identity/clients/metadata/metadata-keys.js'
import { REGISTERED_CLIENTS, type RegisteredClient } from '../../identity/clients/store.js'
import { statementOf } from '../../identity/keys/find.js'
import { slotIdsOf } from '../../identity/keys/quota-slots.js'
import { END_AFTER_SECONDS, retirementDigestOf, retirementIdOf } from '../../identity/keys/retire.js'
import { KEY_CODES, KEY_SLOTS, type KeySlot, REGISTERED_KEYS, type RegisteredKey } from '../../identity/keys/store.js'
import { INVITATIONS } from '../../identity/members/store.js'
import { passkeyDigest } from '../../identity/people/passkeys/passkey-digest.js'
import { PASSKEYS } from '../../identity/people/store.js'
import { REGISTRATION_GRANTS } from '../../identity/registrations/store.js'
import { silentLog } from '../../lib/log.js'
import type { Handle } from '../../protocol/handles.js'
import type { EntryId, RegisteredKeyId } from '../../protocol/ids.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import type { BulkReader, StoreFault } from '../../storage/bulk.js'
import { anySpec, type Doc, type LogPort, type Spec } from '../../storage/storage.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import type { Ended } from '../../trust-log/trust-log.js'
import { pages } from '../pages.js'
import { findEntries } from './log-entries.js'

const PAGE = 500

/** The members of a registered key that its slots repeat. */
type SlotKey = Pick<RegisteredKey, 'owner' | 'handle' | 'jkt'>

/**
 * Compares every registered key with the log entries of its registration, which has the digest of the key's statement, and of its retirement, and every slot
 * with its key. The same for passkeys, and for the keys in the metadata of self-registered clients. Requires an epoch of every one-time code. Finds what was written into the
 * store, and what was changed there. A document that does not match its schema is left to the check of the documents.
 * Memory holds the owner, handle and thumbprint of every key.
 */
export async function* registeredKeyFaults(bulk: Pick<BulkReader, 'collections' | 'documents'>, log: LogPort): AsyncGenerator<StoreFault> {
  const head = await log.head()
  const ended = lazyEnded(log, head)
  const registered = new Map<RegisteredKeyId, SlotKey>()
  for await (const keys of documentsOf(bulk, REGISTERED_KEYS)) {
    const entries = await findEntries(
      log,
      keys.flatMap((key) => [key.entry, ...(head ? [retirementIdOf(key, head.epoch, 0)] : [])]),
    )
    for (const key of keys) {
      const { id, owner, handle, jkt } = key
      registered.set(id, { owner, handle, jkt })
      yield* faultsAt(REGISTERED_KEYS, id, entryFault(digestOfJson(statementOf(key)), key.entry, entries.get(key.entry)))
      if (head?.epoch !== undefined && entries.has(retirementIdOf(key, head.epoch, 0)))
        yield* faultsAt(REGISTERED_KEYS, id, retirementFault(key, await newestRetirement(log, key, head.epoch)))
      yield* faultsAt(REGISTERED_KEYS, id, await endFault(key, ended))
    }
  }
  for await (const slots of documentsOf(bulk, KEY_SLOTS))
    for (const slot of slots) yield* faultsAt(KEY_SLOTS, slot.id, slotFault(slot, registered.get(slot.keyId)))
  for await (const clients of documentsOf(bulk, REGISTERED_CLIENTS)) {
    const known = clients.filter((client) => client.entry !== undefined)
    const entries = await findEntries(
      log,
      known.flatMap(({ entry }) => entry ?? []),
    )
    for (const client of known)
      yield* faultsAt(REGISTERED_CLIENTS, client.id, clientFault(client, client.entry && entries.get(client.entry)))
  }
  for await (const passkeys of documentsOf(bulk, PASSKEYS)) {
    const known = passkeys.flatMap(({ entry, ...passkey }) => (entry ? [{ entry, passkey }] : []))
    const entries = await findEntries(
      log,
      known.map(({ entry }) => entry),
    )
    for (const { entry, passkey } of known)
      yield* faultsAt(PASSKEYS, passkey.credentialId, entryFault(passkeyDigest(passkey), entry, entries.get(entry)))
  }
  yield* codeFaults(bulk, KEY_CODES)
  yield* codeFaults(bulk, INVITATIONS)
  yield* codeFaults(bulk, REGISTRATION_GRANTS)
}

function entryFault(digest: string, id: EntryId, entry: Entry | undefined): string | undefined {
  if (entry === undefined) return `the log has no entry ${id} of its registration`
  return entry.digest === digest ? undefined : `it differs from what entry ${id} of the log says`
}

/** The entry of the last retirement of a key in the epoch. */
async function newestRetirement(log: LogPort, key: RegisteredKey, epoch: Handle): Promise<Entry | undefined> {
  let newest: Entry | undefined
  for (let number = 0; ; number++) {
    const id = retirementIdOf(key, epoch, number)
    const entry = (await findEntries(log, [id])).get(id)
    if (entry === undefined) return newest
    newest = entry
  }
}

const retirementFault = (key: RegisteredKey, entry: Entry | undefined): string | undefined =>
  entry?.digest === retirementDigestOf(key) ? undefined : `its retirement differs from what entry ${entry?.id} of the log says`

/** A timer ends the handle of a retired key at `endsAt`, and removes that time then. */
async function endFault({ handle, retiresAt, endsAt }: RegisteredKey, ended: () => Promise<Ended>): Promise<string | undefined> {
  if (retiresAt === undefined) return undefined
  const isLate = endsAt === undefined ? !(await ended()).has(handle) : endsAt > retiresAt + END_AFTER_SECONDS
  return isLate ? 'it is retired, but the time at which its handle ends was removed or changed' : undefined
}

/** The ended set is read only if a key needs it. */
function lazyEnded(log: LogPort, head: Block | undefined): () => Promise<Ended> {
  let ended: Promise<Ended> | undefined
  const read = async (): Promise<Ended> => {
    const applied = newAppliedLog({ port: log, log: silentLog })
    if (head) await applied.openAt(head)
    return applied.ended
  }
  return () => {
    ended ??= read()
    return ended
  }
}

/** The keys of a self-registered client without an entry do not count. */
function clientFault(client: RegisteredClient, entry: Entry | undefined): string | undefined {
  if (entry === undefined) return `the log has no entry ${client.entry} of its metadata`
  return entry.digest === metadataDigest(client) ? undefined : `its keys differ from what entry ${client.entry} of the log says`
}

/** A slot without a key is free. */
function slotFault({ id, number, owner, handle, keyId }: KeySlot, key: SlotKey | undefined): string | undefined {
  if (key === undefined) return undefined
  if (key.owner !== owner) return `its owner ${owner} differs from the owner ${key.owner} of its key ${keyId}`
  if (key.handle !== handle) return `its handle ${handle} differs from the handle ${key.handle} of its key ${keyId}`
  return slotIdsOf(key, number).includes(id) ? undefined : `its id does not belong to its key ${keyId}`
}

/** The registry issues each code in an epoch, whose end makes the code void. */
async function* codeFaults<D extends { readonly id: string; readonly dependsOn: readonly Handle[] }>(
  bulk: Pick<BulkReader, 'collections' | 'documents'>,
  spec: Spec<D>,
): AsyncGenerator<StoreFault> {
  for await (const codes of documentsOf(bulk, spec))
    for (const { id, dependsOn } of codes)
      yield* faultsAt(
        spec,
        id,
        dependsOn.some((handle) => handle.startsWith('epo:')) ? undefined : 'it names no epoch in which it was issued',
      )
}

const faultsAt = ({ name }: { readonly name: string }, key: string, text: string | undefined): readonly StoreFault[] =>
  text === undefined ? [] : [{ part: 'keys', where: `${name}/${key}`, text, isDerived: false }]

/** The documents of a collection that match its schema, page by page. */
async function* documentsOf<D extends Doc>(
  bulk: Pick<BulkReader, 'collections' | 'documents'>,
  spec: Spec<D>,
): AsyncGenerator<readonly D[]> {
  if (!(await bulk.collections()).includes(spec.name)) return
  for await (const page of pages((after) => bulk.documents(anySpec(spec), { ...after, limit: PAGE, now: 0 })))
    yield page.flatMap(({ text }) => parsed(spec, text) ?? [])
}

function parsed<D extends Doc>({ schema }: Spec<D>, text: string): D | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
