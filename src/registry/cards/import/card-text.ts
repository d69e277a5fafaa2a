import { decodeUtf8 } from '../../../lib/bytes.js'
import type { Cause, GuardedFetch } from '../../../lib/guarded-fetch/guarded-fetch.js'
import { findInCatalog } from './catalog.js'

/** The source of an imported card: its text, its URL, or the catalog of another site. */
export type CardSource =
  | { readonly card: string }
  | { readonly url: string }
  /** `entry`: the identifier of the entry, if the catalog has several agent cards. */
  | { readonly catalog: string; readonly entry?: string | undefined }

interface CardText {
  /** Undefined if the bytes are not UTF-8. */
  readonly text: string | undefined
  /** The URL that the text was fetched from. */
  readonly source?: string
}

const CARD_PATH = '/.well-known/agent-card.json'
const CATALOG_PATH = '/.well-known/ai-catalog.json'

/** Reads the text of the card, and fetches it if it is not given. `cause` is the client that is counted for the requests. */
export async function cardTextOf(
  { guardedFetch }: { readonly guardedFetch: GuardedFetch },
  from: CardSource,
  cause: Cause,
): Promise<CardText> {
  if ('card' in from) return { text: withoutMark(from.card) }
  if ('url' in from) return fetchCard(guardedFetch, from.url, cause)
  const catalog = await guardedFetch({ url: wellKnown(from.catalog, CATALOG_PATH), purpose: 'catalog', cause })
  const found = findInCatalog(catalog.body, from.entry)
  if ('card' in found) return { text: JSON.stringify(found.card), source: catalog.url }
  return fetchCard(guardedFetch, URL.canParse(found.url, catalog.url) ? new URL(found.url, catalog.url).href : found.url, cause)
}

async function fetchCard(guardedFetch: GuardedFetch, url: string, cause: Cause): Promise<CardText> {
  const fetched = await guardedFetch({ url: wellKnownCard(url), purpose: 'card', cause })
  const text = decodeUtf8(fetched.body)
  return { text: text === undefined ? undefined : withoutMark(text), source: fetched.url }
}

/** The URL of a card. That of a site stands for its well-known card. */
export const wellKnownCard = (url: string): string => wellKnown(url, CARD_PATH)

/** The URL of a site stands for its well-known document. */
const wellKnown = (url: string, path: string): string =>
  URL.canParse(url) && new URL(url).pathname === '/' && !url.includes('?') ? new URL(path, url).href : url

/** Editors write a byte order mark, and the SDKs skip it. */
const withoutMark = (text: string): string => text.replace(/^\ufeff/, '')
