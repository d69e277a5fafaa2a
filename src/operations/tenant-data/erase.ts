// Erases what is of one organisation that has ended. Its handles stay in the log, so nothing that stood on it comes back; rows of the audit stay,
// for their chain covers each of them. Run again, it goes on where it was.
import { refuse } from '../../errors.js'
import type { OrgId } from '../../protocol/ids.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { CARD_TIERS, type Change, type Doc, unindexingCard } from '../../storage/storage.js'
import { type Belonging, belongingsOf, type Owned, ownedDocuments } from './owned-documents.js'

export interface Erased {
  /** How many documents were removed, by collection. */
  readonly erased: Readonly<Record<string, number>>
  /** Records of others that name it: their texts of this organisation were taken out. */
  readonly cleared: Readonly<Record<string, number>>
  /** What must stay: ids, moments and short facts, no texts. */
  readonly kept: Readonly<Record<string, number>>
  /** Half done by an instance: erased by the next run, once it is completed (30 s after a registry runs). */
  readonly left: number
}

/** What stands in the place of a name. */
export const ERASED = '(erased)'
const AT_ONCE = 100

export async function eraseOrganisation(storage: ReadableStorage, orgId: OrgId): Promise<Erased> {
  const owned = await ownedDocuments(storage, orgId)
  if (!owned.hasEnded) refuse('forbidden', `the organisation has not ended: credence org end ${orgId}`)
  const counts = { erased: {} as Record<string, number>, cleared: {} as Record<string, number>, kept: {} as Record<string, number> }
  let left = 0
  const work = async (one: Belonging): Promise<void> => {
    const outcome = await erase(storage, owned, one)
    if (outcome === 'left') left++
    else if (outcome !== 'nothing') counts[outcome][one.spec.name] = (counts[outcome][one.spec.name] ?? 0) + 1
  }
  let batch: Belonging[] = []
  for await (const one of belongingsOf(storage, owned)) {
    // Those by whom others are found only after all of the others
    if (batch.length >= AT_ONCE || (batch[0] && batch[0].spec !== one.spec)) {
      await Promise.all(batch.map(work))
      batch = []
    }
    batch.push(one)
  }
  await Promise.all(batch.map(work))
  return { ...counts, left }
}

type Outcome = keyof Omit<Erased, 'left'> | 'left' | 'nothing'

async function erase(storage: ReadableStorage, owned: Owned, one: Belonging): Promise<Outcome> {
  const { spec, key, doc } = one
  if (doc.hidden !== undefined || doc.nextEntry !== undefined) return 'left'
  switch (spec.name) {
    case 'audit-rows':
      return 'kept'
    case 'organisations': {
      if (doc.name === ERASED) return 'nothing'
      return (await owned.stores.organisations.collection.change(key, { nextEntry: null }, { name: ERASED })) ? 'cleared' : 'left'
    }
    case 'introductions':
      return clearIntroduction(owned, one)
    case 'inbox':
    case 'inbox-posted':
      if (!owned.all.has(String(doc.agentId))) return clearNotice(storage, owned, one)
      return take(storage, one)
    case 'cards':
      await storage.commit(CARD_TIERS.map((tier) => unindexingCard(key, tier)))
      return take(storage, one)
    default:
      return take(storage, one)
  }
}

/** Consent of two: of another organisation it stays, without what this one wrote. */
async function clearIntroduction({ orgId, stores }: Owned, { key, doc }: Belonging): Promise<Outcome> {
  const { collection } = stores.introductions
  if (doc.fromOrg === orgId && doc.toOrg === orgId) return (await collection.take(key, {})) ? 'erased' : 'nothing'
  const texts = {
    ...(doc.fromOrg === orgId && doc.purpose !== '' ? { purpose: '' } : {}),
    ...(doc.toOrg === orgId && doc.note !== undefined ? { note: undefined } : {}),
  }
  if (Object.keys(texts).length === 0) return 'kept'
  if (await collection.change(key, { nextEntry: null }, texts)) return 'cleared'
  // Expired meanwhile, or an instance is at it
  return (await collection.get(key)) === undefined ? 'nothing' : 'left'
}

/** A notice to another's agent: it repeats the purpose, which its asker wrote. */
async function clearNotice(storage: ReadableStorage, { all }: Owned, { spec, key, doc }: Belonging): Promise<Outcome> {
  if (!all.has(String(doc.from)) || doc.purpose === '') return 'kept'
  const cleared = { purpose: '' } as Change<Doc> // a field of both kinds of notices
  return (await storage.collection(spec).change(key, {}, cleared)) ? 'cleared' : 'nothing'
}

/** What has expired is absent already, and purged by every registry. */
async function take(storage: ReadableStorage, { spec, key }: Belonging): Promise<Outcome> {
  return (await storage.collection(spec).take(key, {})) ? 'erased' : 'nothing'
}
