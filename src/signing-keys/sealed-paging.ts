import { refuse } from '../errors.js'
import { CursorTuple, type PageInput } from '../http/paging.js'
import type { Cursor } from '../storage/storage.js'
import type { KeyRing } from './key-ring.js'
import { seal, unseal } from './sealed.js'

/** The paging of a list whose position may name a row that the caller may not see: its cursors are encrypted, for this query of this caller only. */
interface SealedPaging {
  readonly limit: number
  readonly after?: Cursor
  /** The `cursor` of a response whose next page begins after this position. */
  readonly cursorAt: (next: Cursor | undefined) => Promise<{ readonly cursor?: string }>
}

/** `query`: the list, its caller and its filters. */
export async function sealedPaging(keyRing: Pick<KeyRing, 'secret'>, query: unknown, { limit, cursor }: PageInput): Promise<SealedPaging> {
  const secrets = keyRing.secret('cursor')
  const context = { purpose: 'list cursor', query } as const
  const cursorAt = async (next: Cursor | undefined) => (next ? { cursor: await seal(secrets, context, next) } : {})
  if (cursor === undefined) return { limit, cursorAt }
  const { success, data: after } = CursorTuple.safeParse(await unseal(secrets, context, cursor))
  return success
    ? { limit, after, cursorAt }
    : refuse('bad_cursor', 'the cursor does not belong to this query, or was changed; list again without a cursor')
}
