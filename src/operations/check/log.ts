import { silentLog } from '../../lib/log.js'
import { Block } from '../../protocol/log/entry.js'
import type { StoreFault } from '../../storage/bulk.js'
import type { LogPort } from '../../storage/storage.js'
import { type AppliedLog, newAppliedLog } from '../../trust-log/apply.js'

const PAGE = 256

/**
 * Reads the whole log: the form of its blocks, their order, the Merkle tree of each epoch, and the index of entries. Ends at the first damaged block,
 * because the tree after it cannot be computed. `onBlock` is called after each block.
 */
export async function* logFaults(port: Pick<LogPort, 'read' | 'has'>, onBlock: (applied: AppliedLog) => void): AsyncGenerator<StoreFault> {
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
      for (const { id } of block.entries)
        if (((await port.has(id)) ?? Number.POSITIVE_INFINITY) > n) yield fault(n, `the index of entries lacks entry ${id}`)
      onBlock(applied)
      n++
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')
