import { useEffect, useRef, useState } from 'preact/hooks'
import { readEntryTexts } from '../../../src/client/log/log.js'
import { Entry, parsePosition } from '../../../src/protocol/log/entry.js'
import { useConsole } from '../../api/console.js'
import { type List, PAGE_ITEMS, useQuery } from '../../api/use-query.js'

interface Read {
  /** Newest first, without gaps. */
  readonly items: readonly Entry[]
  readonly error?: unknown
}

/** The entries of the log, newest first. As the log grows, new ones come in at the top. */
export function useLogEntries(): List<Entry> {
  const { issuer } = useConsole().viewer
  const { data, error } = useQuery('system.status', {})
  const [read, setRead] = useState<Read>({ items: [] })
  const isReading = useRef(false)
  const head = data && parsePosition(data.position).seq
  const oldest = read.items.at(-1)?.seq ?? 0

  const add = async (from: number, limit: number) => {
    if (isReading.current || limit <= 0) return
    isReading.current = true
    try {
      const texts = await readEntryTexts({ issuer, fetch: globalThis.fetch.bind(globalThis) }, from, limit)
      const entries = texts.map((text) => Entry.parse(JSON.parse(text)))
      setRead(({ items }) => ({ items: mergedOf([...items, ...entries]) }))
    } catch (failure) {
      setRead(({ items }) => ({ items, error: failure }))
    } finally {
      isReading.current = false
    }
  }
  const newest = read.items[0]?.seq
  useEffect(() => {
    if (head === undefined || (newest !== undefined && newest >= head)) return
    const from = newest === undefined ? Math.max(0, head + 1 - PAGE_ITEMS) : newest + 1
    void add(from, newest === undefined ? PAGE_ITEMS : head - newest)
  }, [head, newest])
  return {
    items: read.items,
    ...((read.error ?? error) !== undefined && { error: read.error ?? error }),
    isLoading: read.items.length === 0 && read.error === undefined && error === undefined,
    hasMore: oldest > 0,
    readMore: () => void add(Math.max(0, oldest - PAGE_ITEMS), Math.min(PAGE_ITEMS, oldest)),
  }
}

const mergedOf = (entries: readonly Entry[]): readonly Entry[] =>
  [...new Map(entries.map((entry) => [entry.seq, entry])).values()].sort((a, b) => b.seq - a.seq)
