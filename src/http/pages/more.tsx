import type { HttpRequest } from '../route.js'

/** Number of items on a page of a list. */
const PAGE_ITEMS = 20

/** The part of a list that the address of a page names. */
export const pageIn = ({ query }: Pick<HttpRequest, 'query'>): { readonly limit: number; readonly cursor?: string } => {
  const cursor = query.get('cursor')
  return { limit: PAGE_ITEMS, ...(cursor && { cursor }) }
}

/** A link to the items that follow. Nothing without a cursor, because then there are none. */
export function More({
  path,
  cursor,
  children,
}: {
  readonly path: string
  readonly cursor: string | undefined
  readonly children: string
}) {
  return cursor === undefined ? null : (
    <p>
      <a href={`${path}?${new URLSearchParams({ cursor })}`}>{children}</a>
    </p>
  )
}
