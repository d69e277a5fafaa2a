// Goes through the chains of all writers, a bounded stretch a call. What was cut off at the end of a chain together with its links is not seen.
import { z } from 'zod'
import { refuse } from '../errors.js'
import { type Caller, isAdminOf } from '../http/caller.js'
import { checkLink, lastLink, lastRow } from './chain.js'
import type { AuditStore } from './store.js'

export interface VerifiedAudit {
  /** Links, and the rows that they cover, that this call has looked at. */
  readonly links: number
  readonly rows: number
  /** The first link of a writer that its rows do not fit: one of them was changed, removed, added or moved. */
  readonly broken: readonly { readonly writer: string; readonly link: number }[]
  /** Where to go on; absent at the end. */
  readonly cursor?: string
}

/** A link covers 500 rows at most. */
const MAX_STEPS = 10

/** Which writer, where it is listed, and which link of it comes next. */
const Place = z.strictObject({ list: z.enum(['open', 'closed']), at: z.int().min(0), writer: z.string().max(64), link: z.int().min(0) })
type Place = z.infer<typeof Place>

/** For any administrator: a chain holds rows of all organisations, and none of them is shown. */
export async function verifyAudit(store: AuditStore, caller: Caller, cursor: string | undefined): Promise<VerifiedAudit> {
  if (!isAdminOf(caller, caller.orgId)) refuse('forbidden', 'administrators verify the audit')
  const broken: { writer: string; link: number }[] = []
  let [links, rows] = [0, 0]
  let place = cursor === undefined ? await firstOf(store, 'open') : parsePlace(cursor)
  for (let step = 0; place !== undefined && step < MAX_STEPS; step++) {
    const { writer, link }: Place = place
    const checked = await checkLink(store, writer, link)
    const fits = checked?.fits ?? !(await hasStrayRows(store, place))
    if (checked !== undefined) [links, rows] = [links + 1, rows + checked.rows]
    if (!fits) broken.push({ writer, link })
    place = checked?.fits ? { ...place, link: link + 1 } : await nextWriter(store, place)
  }
  return { links, rows, broken, ...(place && { cursor: textOf(place) }) }
}

/** A writer that is gone has no rows that no link covers. */
async function hasStrayRows(store: AuditStore, { list, writer }: Place): Promise<boolean> {
  return list === 'closed' && ((await lastRow(store, writer))?.n ?? -1) > ((await lastLink(store, writer))?.to ?? -1)
}

async function firstOf(store: AuditStore, list: Place['list'], after?: Place): Promise<Place | undefined> {
  const where = { open: list === 'open' ? true : null }
  const { items } = await store.writers.find('open', { where, limit: 1, ...(after && { after: [after.at, after.writer] as const }) })
  const [found] = items
  if (found !== undefined) return { list, at: found.at, writer: found.id, link: 0 }
  return list === 'open' ? firstOf(store, 'closed') : undefined
}

const nextWriter = (store: AuditStore, place: Place): Promise<Place | undefined> => firstOf(store, place.list, place)

const textOf = ({ list, at, writer, link }: Place): string => `${list}.${at}.${link}.${writer}`
function parsePlace(cursor: string): Place {
  const [list, at, link, ...writer] = cursor.split('.')
  const parsed = Place.safeParse({ list, at: Number(at), link: Number(link), writer: writer.join('.') })
  return parsed.success ? parsed.data : refuse('bad_cursor', 'the cursor is not one of this walk')
}
