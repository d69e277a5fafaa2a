// Whether two stores hold the same: counts and digests of every collection, of counters and blocks, the log's root, and what search counts.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import { silentLog } from '../../lib/log.js'
import type { Block } from '../../protocol/log/entry.js'
import { rootOfFrontier } from '../../protocol/log/merkle.js'
import type { BulkAccess, ReadableStorage } from '../../storage/bulk.js'
import { fitting } from '../../storage/document.js'
import { CARD_TIERS, type CardTier, type Doc, type LogPort, type Spec, type Storage } from '../../storage/storage.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { pages } from '../pages.js'

export interface Compared {
  /** How many documents there are, by collection. */
  readonly documents: Readonly<Record<string, number>>
  readonly counters: number
  readonly cards: Readonly<Record<string, number>>
  readonly entries: number
  /** RFC 6962 root of the log's tree in this epoch, base64url. */
  readonly root: string
  /** SHA-256 of all the digests. */
  readonly digest: string
}

export interface CompareDeps {
  readonly from: ReadableStorage
  readonly to: ReadableStorage
  readonly specs: readonly Spec<Doc>[]
  /** What has expired by then is not looked at. */
  readonly now: number
}

/** What both hold. Refuses with the first thing that is not the same. */
export async function requireSame({ from, to, specs, now }: CompareDeps): Promise<Compared> {
  const documents: Record<string, number> = {}
  const digests: string[] = []
  const same = (what: string, a: Sum, b: Sum): number => {
    if (a.count !== b.count) refuse('conflict', `${what}: the source holds ${a.count}, the target ${b.count}`)
    if (a.digest() !== b.digest()) refuse('conflict', `${what}: the target holds others than the source`)
    digests.push(`${what} ${a.digest()}`)
    return a.count
  }
  for (const spec of specs)
    documents[spec.name] = same(spec.name, await sumOf(from.holdings, spec, now), await sumOf(to.holdings, spec, now))
  const counters = same('counters', await sumOfCounters(from.holdings, now), await sumOfCounters(to.holdings, now))
  const cards: Record<string, number> = {}
  for (const tier of CARD_TIERS) {
    const [a, b] = [await cardsAt(from, tier), await cardsAt(to, tier)]
    if (a !== b) refuse('conflict', `search at the ${tier} tier: the source finds ${a} cards, the target ${b}`)
    cards[tier] = a
  }
  const head = await from.log.head()
  if (head === undefined) return refuse('unavailable', 'the source has no log')
  const own = await readLog('source', from.log, head)
  const copy = await readLog('target', to.log, head)
  same('log', own.sum, copy.sum)
  if (own.root !== copy.root) refuse('conflict', 'the log of the target has another root')
  const digest = base64url(sha256(utf8([...digests, `root ${own.root}`].join('\n'))))
  return { documents, counters, cards, entries: own.entries, root: own.root, digest }
}

const PAGE = 500

const sumOf = (holdings: BulkAccess, spec: Spec<Doc>, now: number): Promise<Sum> =>
  summed(
    pages((after) => holdings.documents(spec, { ...after, limit: PAGE, now })),
    // As this build writes it: an older one may have named its fields in another order
    ({ key, text }) => `${key} ${fitting(spec, JSON.parse(text)).text}`,
  )

const sumOfCounters = (holdings: BulkAccess, now: number): Promise<Sum> =>
  summed(
    pages((after) => holdings.counters({ ...after, limit: PAGE, now })),
    ({ key, sum, expiresAt }) => `${key} ${sum} ${expiresAt}`,
  )

const cardsAt = async ({ cards }: Storage, tier: CardTier): Promise<number> =>
  (await cards.search({ words: [], tags: [], tier, limit: 1 })).total

/** Every block up to `head`, each checked against its tree. */
async function readLog(
  whose: 'source' | 'target',
  port: LogPort,
  head: Block,
): Promise<{ readonly sum: Sum; readonly root: string; readonly entries: number }> {
  const applied = newAppliedLog({ port, log: silentLog })
  const sum = newSum()
  for (let n = 0; n <= head.n; ) {
    const blocks = (await port.read(n, PAGE)).filter((block) => block.n <= head.n)
    if (blocks.length === 0) refuse('conflict', `the ${whose} has no block ${n}`)
    for (const block of blocks) {
      applied.apply(block)
      sum.add(JSON.stringify(block))
    }
    n += blocks.length
  }
  return { sum, root: base64url(rootOfFrontier(sha256, applied.frontier)), entries: applied.at + 1 }
}

async function summed<T>(all: AsyncGenerator<readonly T[]>, textOf: (one: T) => string): Promise<Sum> {
  const sum = newSum()
  for await (const page of all) for (const one of page) sum.add(textOf(one))
  return sum
}

interface Sum {
  readonly count: number
  add(text: string): void
  digest(): string
}

/** The hashes of all, added up modulo 2^256: stores read in different orders. It finds what was lost or mangled; it is no proof against a forger. */
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
