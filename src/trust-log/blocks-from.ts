import type { Block } from '../protocol/log/entry.js'
import type { LogPort } from '../storage/storage.js'

const PAGE = 256

/** Yields the stored blocks numbered `from` to `to`, in order; reads a page of them at a time. */
export async function* blocksFrom(
  port: Pick<LogPort, 'read'>,
  { from, to, page = PAGE }: { readonly from: number; readonly to: number; readonly page?: number },
): AsyncGenerator<Block, void, undefined> {
  for (let n = from; n <= to; ) {
    const blocks = await port.read(n, Math.min(page, to - n + 1))
    if (blocks.length === 0) return
    yield* blocks
    n += blocks.length
  }
}
