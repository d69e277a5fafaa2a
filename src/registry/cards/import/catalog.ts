import { z } from 'zod'
import { type Fault, refuse } from '../../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue, readJson } from '../../../lib/json.js'

const CATALOG_BYTES = 1_048_576
const CATALOG_DEPTH = 16
const CARD_TYPES: ReadonlySet<string | undefined> = new Set(['application/a2a-agent-card+json', 'application/agent-card+json'])
/** Entries that a refusal lists. */
const MAX_LISTED = 32

/** An entry of an AI Catalog 1.0 or of an ARD manifest. Unknown members are ignored. */
const Entry = z.object({
  identifier: z.string().min(1).max(2048),
  displayName: z.string().max(512).optional(),
  type: z.string().max(256).optional(),
  url: z.string().min(1).max(2048).optional(),
  data: z.custom<JsonObject>(isJsonObject).optional(),
})
type Entry = z.infer<typeof Entry>

/** The agent card that an entry holds or links to. */
type CatalogedCard = { readonly card: JsonObject } | { readonly url: string }

/**
 * Finds one agent card in the catalog of another site: that of the entry with this identifier, or the only one. Entries of other types, nested
 * catalogs too, are not read.
 */
export function findInCatalog(bytes: Uint8Array, identifier: string | undefined): CatalogedCard {
  const json = readJson(bytes, { maxBytes: CATALOG_BYTES, maxDepth: CATALOG_DEPTH })
  if ('fault' in json) return refuseCatalog(`it is not JSON: ${json.fault}`)
  const entries = cardEntries(json.value) ?? refuseCatalog('it has no list `entries`')
  const [first, ...others] = identifier === undefined ? entries : entries.filter((entry) => entry.identifier === identifier)
  if (first === undefined && entries.length === 0) return refuseCatalog('it has no entry of type application/a2a-agent-card+json')
  if (first === undefined) return refuseEntry('no agent card of the catalog has this identifier', entries)
  if (others.length > 0 && identifier === undefined) return refuseEntry('the catalog has several agent cards: choose one', entries)
  if (others.length > 0) return refuseEntry('several entries of the catalog have this identifier', entries)
  if (first.data) return { card: first.data }
  return first.url === undefined ? refuseCatalog('the entry has neither `url` nor `data`') : { url: first.url }
}

function cardEntries(value: JsonValue): readonly Entry[] | undefined {
  if (!isJsonObject(value) || !Array.isArray(value.entries)) return undefined
  return value.entries.flatMap((entry: JsonValue) => {
    const { data } = Entry.safeParse(entry)
    return data && CARD_TYPES.has(data.type) ? [data] : []
  })
}

const refuseCatalog = (why: string): never =>
  refuse('bad_input', `the catalog cannot be used: ${why}`, { faults: [{ pointer: '/catalog', hint: why }] })

function refuseEntry(text: string, entries: readonly Entry[]): never {
  const listed = entries.slice(0, MAX_LISTED).map(({ identifier, displayName }): Fault => {
    const name = displayName === undefined ? '' : ` (${displayName})`
    return { pointer: '/entry', hint: `${identifier}${name}` }
  })
  const more = entries.length > MAX_LISTED ? `, of which the first ${MAX_LISTED} are listed` : ''
  return refuse('bad_input', `${text}; \`entry\` takes one of ${entries.length} identifiers${more}`, { faults: listed })
}
