// Requires that two stores hold the same data: documents of every collection, counters, log blocks, the log's root, and search totals.
//
// Stores return documents in different orders, so the digest of a collection is the sum of the SHA-256 hashes of its documents, modulo
// 2^256.
// Cost: every document, counter and block is read once from each store; memory is one page of 500.
// Limit: the digest finds lost and damaged data. It does not resist an attacker who chooses the documents.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import { silentLog } from '../../lib/log.js'
import type { Block } from '../../protocol/log/entry.js'
import { rootOfFrontier } from '../../protocol/log/merkle.js'
import type { BulkReadableStorage, BulkReader } from '../../storage/bulk.js'
import { validate } from '../../storage/document.js'
import { CARD_TIERS, type CardTier, type Doc, type LogPort, type Spec, type Storage } from '../../storage/storage.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { pages } from '../pages.js'

export interface Comparison {
  /** Number of documents, by collection. */
  readonly documents: Readonly<Record<string, number>>
  readonly counters: number
  /** Number of cards that search finds, by tier. */
  readonly cards: Readonly<Record<string, number>>
  /** Number of log entries. */
  readonly entries: number
  /** RFC 6962 root of the log's tree in this epoch, base64url. */
  readonly root: string
  /** SHA-256 over the digests of all parts. */
  readonly digest: string
}

interface CompareDeps {
  readonly from: BulkReadableStorage
  readonly to: BulkReadableStorage
  readonly specs: readonly Spec<Doc>[]
  /** Epoch seconds. Documents and counters that have expired at this time are ignored. */
  readonly now: number
}

/** Describes the data of both stores. Refuses at the first difference. */
export async function requireEqual({ from, to, specs, now }: CompareDeps): Promise<Comparison> {
  const documents: Record<string, number> = {}
  const digests: string[] = []
  const requireEqualSums = (part: string, source: Sum, target: Sum): number => {
    if (source.count !== target.count) refuse('conflict', `${part}: the source has ${source.count}, the target ${target.count}`)
    if (source.digest() !== target.digest()) refuse('conflict', `${part}: the target differs from the source`)
    digests.push(`${part} ${source.digest()}`)
    return source.count
  }
  for (const spec of specs)
    documents[spec.name] = requireEqualSums(spec.name, await sumDocuments(from.bulk, spec, now), await sumDocuments(to.bulk, spec, now))
  const counters = requireEqualSums('counters', await sumCounters(from.bulk, now), await sumCounters(to.bulk, now))
  const cards: Record<string, number> = {}
  for (const tier of CARD_TIERS) {
    const [source, target] = [await countCards(from, tier), await countCards(to, tier)]
    if (source !== target) refuse('conflict', `search at the ${tier} tier: the source finds ${source} cards, the target ${target}`)
    cards[tier] = source
  }
  const head = await from.log.head()
  if (head === undefined) return refuse('unavailable', 'the source has no log')
  const source = await readLog('source', from.log, head)
  const target = await readLog('target', to.log, head)
  requireEqualSums('log', source.sum, target.sum)
  if (source.root !== target.root) refuse('conflict', 'the Merkle root of the target’s log differs from the source’s')
  const digest = base64url(sha256(utf8([...digests, `root ${source.root}`].join('\n'))))
  return { documents, counters, cards, entries: source.entries, root: source.root, digest }
}

const PAGE = 500

const sumDocuments = (bulk: BulkReader, spec: Spec<Doc>, now: number): Promise<Sum> =>
  sumPages(
    pages((after) => bulk.documents(spec, { ...after, limit: PAGE, now })),
    // An older build may have written the fields in another order, so both documents are compared as this build would write them.
    ({ key, text }) => `${key} ${validate(spec, JSON.parse(text)).text}`,
  )

const sumCounters = (bulk: BulkReader, now: number): Promise<Sum> =>
  sumPages(
    pages((after) => bulk.counters({ ...after, limit: PAGE, now })),
    ({ key, sum, expiresAt }) => `${key} ${sum} ${expiresAt}`,
  )

const countCards = async ({ cards }: Storage, tier: CardTier): Promise<number> =>
  (await cards.search({ words: [], tags: [], tier, limit: 1 })).total

/** Reads every block up to `head`, and checks each block against the log's tree. */
async function readLog(
  side: 'source' | 'target',
  port: LogPort,
  head: Block,
): Promise<{ readonly sum: Sum; readonly root: string; readonly entries: number }> {
  const applied = newAppliedLog({ port, log: silentLog })
  const sum = newSum()
  for (let n = 0; n <= head.n; ) {
    const blocks = (await port.read(n, PAGE)).filter((block) => block.n <= head.n)
    if (blocks.length === 0) refuse('conflict', `the ${side} has no log block ${n}`)
    for (const block of blocks) {
      applied.apply(block)
      sum.add(JSON.stringify(block))
    }
    n += blocks.length
  }
  return { sum, root: base64url(rootOfFrontier(sha256, applied.frontier)), entries: applied.seq + 1 }
}

async function sumPages<T>(all: AsyncGenerator<readonly T[]>, textOf: (item: T) => string): Promise<Sum> {
  const sum = newSum()
  for await (const page of all) for (const item of page) sum.add(textOf(item))
  return sum
}

interface Sum {
  readonly count: number
  add(text: string): void
  digest(): string
}

function newSum(): Sum {
  let count = 0
  let total = 0n
  return {
    get count() {
      return count
    },
    add: (text) => {
      count++
      total = (total + BigInt(`0x${Buffer.from(sha256(utf8(text))).toString('hex')}`)) % MODULUS
    },
    digest: () => total.toString(16).padStart(64, '0'),
  }
}
const MODULUS = 1n << 256n
