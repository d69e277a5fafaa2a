import { sha256 } from '#crypto'
import { canonical } from '../../credentials/jose/canonical-json.js'
import { base64url, fromBase64url } from '../../lib/bytes.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import { appendToFrontier, type Frontier, hashLeaf, rootOfFrontier } from '../../protocol/log/merkle.js'

/** Leaf hash of an entry, over its RFC 8785 canonical form. */
export const leafOfEntry = (entry: Entry): Uint8Array => hashLeaf(sha256, canonical(entry))

/** The frontier after `entries` are appended to a tree. */
export const frontierAfter = (frontier: Frontier, entries: readonly Entry[]): Frontier =>
  entries.reduce((grown, entry) => appendToFrontier(sha256, grown, leafOfEntry(entry)), frontier)

/** The frontier after a block. */
export const frontierOf = ({ size, frontier }: Pick<Block, 'size' | 'frontier'>): Frontier => ({
  size,
  hashes: frontier.map((text) => fromBase64url(text) ?? new Uint8Array()),
})

/** The base64url root of a tree. */
export const rootOf = (frontier: Frontier): string => base64url(rootOfFrontier(sha256, frontier))
