import { silentLog } from '../../lib/log.js'
import { Block } from '../../protocol/log/entry.js'
import type { StoreFault } from '../../storage/bulk.js'
import type { LogPort } from '../../storage/storage.js'
import { type AppliedLog, newAppliedLog } from '../../trust-log/apply.js'

const PAGE = 256

/**
 * Reads the whole log: the form of its blocks, their order, the Merkle tree of each epoch, and the index of entries if `has` is given. Ends at the first damaged block,
 * because the tree after it cannot be computed. `onBlock` is called after each block.
 */
export async function* logFaults(
  port: Pick<LogPort, 'read'> & Partial<Pick<LogPort, 'has'>>,
  onBlock: (applied: AppliedLog) => void,
): AsyncGenerator<StoreFault> {
  const applied = newAppliedLog({ port: port as LogPort, log: silentLog }) // `apply` does not use the rest
  const fault = (n: number, text: string): StoreFault => ({ part: 'log', where: `block ${n}`, text, isDerived: false })
  for (let [n, page] = [0, PAGE]; ; ) {
    let blocks: readonly Block[]
    try {
      blocks = await port.read(n, page)
    } catch (error) {
      if (page === 1) return yield fault(n, `it cannot be read: ${textOf(error)}`)
      page = 1
      continue
    }
    if (blocks.length === 0) return
    for (const block of blocks) {
      try {
        applied.apply(Block.parse(block))
      } catch (error) {
        return yield fault(n, `${textOf(error)}. The blocks after it are not checked`)
      }
      const { has } = port
      const found = has ? await Promise.all(block.entries.map(({ id }) => has(id))) : []
      // Of several entries with one id, the first counts
      for (const [i, at = Number.POSITIVE_INFINITY] of found.entries())
        if (at > n) yield fault(n, `the index of entries lacks entry ${String(block.entries[i]?.id)}`)
      onBlock(applied)
      n++
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')
