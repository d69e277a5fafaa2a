// Anchors of the audit chains in the trust log. Whoever can write to the store can change a row and link the chain again by the same algorithm; but the
// log is covered by signed checkpoints, witnesses and mirrors.
//
// Algorithm. Anchors are numbered without gaps. An anchor names the newest links that no anchor covers yet, and is written with a log entry that
// holds its digest. The id of the entry follows from the number of the anchor. So the log itself says how many anchors there must be, and a chain
// that was changed, cut at its end or removed as a whole no longer matches them.
//
// Cost: one entry a minute while rows are written. Limit: the rows of the last minute are not covered yet, nor those of an instance that has stopped
// until another one has run for a minute.
import { digestOfJson, digestOfText } from '../credentials/jose/digest.js'
import { EntryId } from '../protocol/ids.js'
import type { LogFeed, TrustLog } from '../trust-log/trust-log.js'
import type { AuditAnchor, AuditStore } from './store.js'

const PAGE = 100

const idOf = (number: number): string => String(number).padStart(12, '0')
const entryIdOf = (number: number): EntryId => EntryId.parse(`ent_${digestOfText(`audit anchor ${number}`).slice(0, 22)}`)
const digestOf = ({ number, heads }: Pick<AuditAnchor, 'number' | 'heads'>): string => digestOfJson({ number, heads })

/** Anchors the links that no anchor covers, at most PAGE of them. Of several instances at once, one succeeds. */
export async function anchorLinks(store: AuditStore, trustLog: Pick<TrustLog, 'commit'>): Promise<void> {
  const { items } = await store.links.find('unanchored', { where: { isUnanchored: true }, limit: PAGE })
  if (items.length === 0) return
  const [last] = (await store.anchors.find('number', { where: {}, order: 'down', limit: 1 })).items
  const number = (last?.number ?? -1) + 1
  // In ascending order of their numbers, so the last one of each writer covers its others
  const newest = new Map(items.map(({ writer, number: link, hash }) => [writer, { writer, link, hash }]))
  const anchor: AuditAnchor = { id: idOf(number), number, heads: [...newest.values()] }
  await trustLog.commit({
    type: 'audit.anchored',
    id: entryIdOf(number),
    dependsOn: [],
    digest: digestOf(anchor),
    operations: [
      store.anchors.inserting(anchor),
      ...items.map(({ id }) => store.links.changing(id, { isUnanchored: true }, { isUnanchored: undefined })),
    ],
  })
}

/** Compares an anchor with its log entry and with the links that it names. Undefined after the last anchor. */
export async function checkAnchor(store: AuditStore, log: Pick<LogFeed, 'find'>, number: number): Promise<'intact' | 'broken' | undefined> {
  const [anchor, entry] = await Promise.all([store.anchors.get(idOf(number)), log.find(entryIdOf(number))])
  if (anchor === undefined && entry === undefined) return undefined
  if (anchor === undefined || entry?.digest !== digestOf(anchor)) return 'broken'
  const links = await Promise.all(anchor.heads.map(({ writer, link }) => store.links.get(`${writer}:${link}`)))
  return anchor.heads.every(({ hash }, i) => links[i]?.hash === hash) ? 'intact' : 'broken'
}
