// Anchors the audit chains in the trust log. An attacker who can write to the store can change a row and link the chain again by the same
// algorithm; but signed checkpoints, witnesses and mirrors cover the log.
//
// Algorithm. The anchors of an epoch of the log are numbered without gaps. An anchor names the newest links that no anchor covers yet, and is written
// with a log entry that holds its digest. The id of the entry follows from the epoch and the number. So the log itself says how many anchors there must
// be, and a chain that was changed, cut at its end or removed as a whole no longer matches them.
//
// Cost: one entry a minute while rows are written. Limits: the rows of the last minute are not covered yet, nor those of an instance that has stopped
// until another one has run for a minute. Anchors of an earlier epoch, before a restore, are not compared; the first one of an epoch covers all chains.
import { digestOfJson, digestOfText } from '../credentials/jose/digest.js'
import type { EpochSeconds } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import { EntryId } from '../protocol/ids.js'
import type { Cursor } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { lastLink } from './chain.js'
import type { AuditedLog } from './retention.js'
import type { AuditAnchor, AuditLink, AuditStore } from './store.js'

const PAGE = 100
const MAX_HEADS = 10_000

const idOf = (epoch: Handle, number: number): string => `${epoch} ${String(number).padStart(12, '0')}`
const entryIdOf = (id: string): EntryId => EntryId.parse(`ent_${digestOfText(`audit anchor ${id}`).slice(0, 22)}`)
const digestOf = ({ id, heads, createdAt }: Pick<AuditAnchor, 'id' | 'heads' | 'createdAt'>): string =>
  digestOfJson({ id, heads, ...(createdAt !== undefined && { createdAt }) })

/** The newest anchor of the epoch. */
export const lastAnchor = async (store: Pick<AuditStore, 'anchors'>, epoch: Handle): Promise<AuditAnchor | undefined> =>
  (await store.anchors.find('number', { where: { epoch }, order: 'down', limit: 1 })).items[0]

/**
 * Anchors the links that no anchor covers, at most PAGE of them; the first anchor of an epoch covers every chain. Of several instances at once, one
 * succeeds.
 */
export async function anchorLinks(store: AuditStore, trustLog: Pick<TrustLog, 'commit' | 'epoch'>, createdAt: EpochSeconds): Promise<void> {
  const { epoch } = trustLog
  const { items } = await store.links.find('unanchored', { where: { isUnanchored: true }, limit: PAGE })
  const last = await lastAnchor(store, epoch)
  const links = last === undefined ? [...(await newestLinks(store)), ...items] : items
  if (links.length === 0) return
  const number = (last?.number ?? -1) + 1
  const id = idOf(epoch, number)
  // The newest link of a writer covers its earlier ones
  const newest = new Map<string, AuditAnchor['heads'][number]>()
  for (const { writer, number: link, hash } of links)
    if ((newest.get(writer)?.link ?? -1) <= link) newest.set(writer, { writer, link, hash })
  const anchor: AuditAnchor = { id, epoch, number, heads: [...newest.values()], createdAt }
  await trustLog.commit({
    type: 'audit.anchored',
    id: entryIdOf(id),
    dependsOn: [],
    digest: digestOf(anchor),
    operations: [
      store.anchors.inserting(anchor),
      ...items.map((link) => store.links.changing(link.id, { isUnanchored: true }, { isUnanchored: undefined })),
    ],
  })
}

/** The newest link of every writer. */
async function newestLinks(store: AuditStore): Promise<readonly AuditLink[]> {
  const links: AuditLink[] = []
  for (const hasUnlinkedRows of [true, null])
    for (let after: Cursor | undefined; links.length < MAX_HEADS - PAGE; ) {
      const page = await store.writers.find('unlinked', { where: { hasUnlinkedRows }, limit: PAGE, ...(after && { after }) })
      const found = await Promise.all(page.items.map(({ id }) => lastLink(store, id)))
      links.push(...found.filter((link) => link !== undefined))
      if (page.next === undefined) break
      after = page.next
    }
  return links
}

/** Compares an anchor of the current epoch with its log entry and with the chains that it names. Undefined after the last anchor. */
export async function checkAnchor(
  store: AuditStore,
  log: Pick<AuditedLog, 'find' | 'epoch'>,
  number: number,
): Promise<'intact' | 'broken' | undefined> {
  const id = idOf(log.epoch, number)
  const [anchor, entry] = await Promise.all([store.anchors.get(id), log.find(entryIdOf(id))])
  if (anchor === undefined && entry === undefined) return undefined
  if (anchor === undefined || entry?.digest !== digestOf(anchor)) return 'broken'
  const links = await Promise.all(anchor.heads.map(({ writer, link }) => store.links.get(`${writer}:${link}`)))
  // A chain is verified only if the store names its writer, so a missing writer would hide the chain
  const writers = await Promise.all(anchor.heads.map(({ writer }) => store.writers.get(writer)))
  return anchor.heads.every(({ hash }, i) => links[i]?.hash === hash && writers[i] !== undefined) ? 'intact' : 'broken'
}
