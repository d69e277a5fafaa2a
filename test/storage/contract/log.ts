import { expect, test } from 'vitest'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import type { Handle } from '../../../src/protocol/handles.js'
import { EntryId } from '../../../src/protocol/ids.js'
import { Block } from '../../../src/protocol/log/entry.js'
import { appendBlock } from '../../../src/trust-log/block.js'
import type { OpenStore } from '../contract.js'
import { atOnce, CALLERS } from './things.js'

const EPOCH = 'epo:AAAAAAAAAAAAAAAAAAAAAA'

const entryId = (name: string): EntryId => EntryId.parse(`ent_${name.padEnd(22, '0')}`)

/** Block `n` with `count` entries, the first of which has position `first`. */
export function aBlock({ n, first = n, count = 1, writer = 'w' }: { n: number; first?: number; count?: number; writer?: string }): Block {
  const entries = Array.from({ length: count }, (_, i) => ({
    id: entryId(`${writer}-${n}-${i}`),
    type: 'task.ended',
    ends: [{ handle: 'tsk:AAAAAAAAAAAAAAAAAAAAAA', horizon: 5 }],
    seq: first + i,
    time: 1_800_000_000,
  }))
  return Block.parse({ n, epoch: EPOCH, first, writer, entries, frontier: ['x'], size: first + count })
}

const DONE = [{ ok: true }]

export function logContract(open: OpenStore): void {
  test('an empty log has no head, no blocks and no entries', async () => {
    await using store = await open()
    const { log } = store.storage
    expect([await log.head(), await log.read(0, 5), await log.has(entryId('x')), await log.blockOf(0)]).toEqual([
      undefined,
      [],
      undefined,
      undefined,
    ])
  })

  test('of twenty concurrent appends of the same number, one succeeds and its block is stored', async () => {
    await using store = await open()
    const results = await atOnce(store, (storage, caller) => appendBlock(storage.log, aBlock({ n: 0, writer: `w${caller}` })))
    expect(results.filter((result) => result !== 'taken')).toHaveLength(1)
    const winner = results.findIndex((result) => result !== 'taken')
    expect(await store.other.log.head()).toEqual(aBlock({ n: 0, writer: `w${winner}` }))
    for (let caller = 0; caller < CALLERS; caller++) {
      expect(await store.storage.log.has(entryId(`w${caller}-0-0`))).toBe(caller === winner ? 0 : undefined)
    }
  })

  test('fields that a newer release wrote into a block are read back unchanged', async () => {
    await using store = await open()
    const block = aBlock({ n: 0 })
    const newer: unknown = {
      ...block,
      weather: 'fine',
      entries: block.entries.map((entry) => ({
        ...entry,
        type: 'zone.closed',
        weather: 'fine',
        ends: [{ handle: `zone:${'z'.repeat(22)}`, weather: 'fine' }],
      })),
    }
    await appendBlock(store.storage.log, newer as Block)
    expect(await store.other.log.head()).toEqual(newer)
    expect(await store.other.log.read(0, 1)).toEqual([newer])
  })

  test('twenty writers that retry with the next number leave no gap between blocks', async () => {
    await using store = await open()
    await atOnce(store, async ({ log }, caller) => {
      for (;;) {
        const n = ((await log.head())?.n ?? -1) + 1
        if ((await appendBlock(log, aBlock({ n, writer: `w${caller}` }))) !== 'taken') return
      }
    })
    const blocks = await store.storage.log.read(0, 100)
    expect(blocks.map((block) => block.n)).toEqual(Array.from({ length: CALLERS }, (_, n) => n))
    expect(new Set(blocks.map((block) => block.writer)).size).toBe(CALLERS)
  })

  test('a block that leaves a gap or does not match its schema throws and is not written', async () => {
    await using store = await open()
    const { log } = store.storage
    await appendBlock(log, aBlock({ n: 0 }))
    await expect(appendBlock(log, aBlock({ n: 2 }))).rejects.toThrow('does not follow')
    await expect(appendBlock(log, { ...aBlock({ n: 1 }), entries: [] })).rejects.toThrow()
    expect((await log.head())?.n).toBe(0)
  })

  test('read starts at a number and stops at its limit, and head, has and blockOf find blocks by number, id and position', async () => {
    await using store = await open()
    const { log } = store.storage
    const blocks = [aBlock({ n: 0, count: 3 }), aBlock({ n: 1, first: 3 }), aBlock({ n: 2, first: 4, count: 2 })]
    for (const block of blocks) expect(await appendBlock(log, block)).toEqual(DONE)
    expect(await log.read(0, 10)).toEqual(blocks)
    expect(await log.read(1, 1)).toEqual([blocks[1]])
    expect(await log.read(3, 10)).toEqual([])
    expect(await log.head()).toEqual(blocks[2])
    expect(await Promise.all([0, 1, 2, 3, 4, 5, 6].map(async (seq) => (await log.blockOf(seq))?.n))).toEqual([0, 0, 0, 1, 2, 2, undefined])
    expect(await log.has(entryId('w-0-2'))).toBe(0)
    expect(await log.has(entryId('w-2-1'))).toBe(2)
    expect(await appendBlock(log, aBlock({ n: 1, writer: 'late' }))).toBe('taken')
    expect(await log.has(entryId('late-1-0'))).toBeUndefined()
  })

  test('entryTexts has the canonical texts of the entries from a position on, of as many blocks as were requested', async () => {
    await using store = await open()
    const { log } = store.storage
    const blocks = [aBlock({ n: 0, count: 3 }), aBlock({ n: 1, first: 3 }), aBlock({ n: 2, first: 4, count: 2 })]
    for (const block of blocks) await appendBlock(log, block)
    const texts = blocks.flatMap(({ entries }) => entries).map(canonical)
    const textsFrom = async (seq: number, limit: number) => (await log.entryTexts(seq, limit)).map((text) => new TextDecoder().decode(text))
    expect(await textsFrom(0, 9)).toEqual(texts)
    expect(await textsFrom(0, 1)).toEqual(texts.slice(0, 3))
    expect(await textsFrom(2, 2)).toEqual(texts.slice(2, 4))
    expect(await textsFrom(3, 1)).toEqual(texts.slice(3, 4))
    expect(await textsFrom(5, 9)).toEqual(texts.slice(5))
    expect(await textsFrom(6, 9)).toEqual([])
  })

  test('ending finds the blocks whose endings still matter, page by page in the order of their latest horizon', async () => {
    await using store = await open()
    const { log } = store.storage
    const horizons = [[], [100], [50, 300], [undefined], [200], [300], [10]]
    const blocks = horizons.map((ends, n) => {
      const block = aBlock({ n, first: n })
      const endings = ends.map((horizon, i) => ({
        handle: `tok:${`${n}x${i}`.padStart(22, 'A')}` as Handle,
        ...(horizon !== undefined && { horizon }),
      }))
      return { ...block, entries: block.entries.map((entry) => ({ ...entry, ends: endings })) }
    })
    for (const block of blocks) expect(await appendBlock(log, block)).toEqual(DONE)
    const numbersSince = async (since: number, limit: number) => {
      const numbers: number[] = []
      for (let page = await log.ending(since, limit); ; page = await log.ending(since, limit, page.next)) {
        numbers.push(...page.blocks.map(({ n }) => n))
        if (page.next === undefined) return numbers
      }
    }
    for (const limit of [1, 2, 3, 9]) expect(await numbersSince(100, limit)).toEqual([1, 4, 2, 5, 3])
    expect(await numbersSince(301, 1)).toEqual([3])
  })

  test('an entry id that is appended twice is found in its first block', async () => {
    await using store = await open()
    const { log } = store.storage
    await appendBlock(log, aBlock({ n: 0 }))
    const again = aBlock({ n: 1 })
    expect(await appendBlock(log, { ...again, entries: aBlock({ n: 0 }).entries.map((entry) => ({ ...entry, seq: 1 })) })).toEqual(DONE)
    expect(await log.has(entryId('w-0-0'))).toBe(0)
  })

  test('head returns a block that was acknowledged before the call', async () => {
    await using store = await open()
    for (let n = 0; n < 10; n++) {
      await appendBlock(store.storage.log, aBlock({ n }))
      expect((await store.other.log.head())?.n).toBe(n)
    }
  })

  test('an append notifies the listeners of every Storage until they unsubscribe', async () => {
    await using store = await open()
    const notified: string[] = []
    const newListener = (name: string) => {
      let wake: () => void = () => {}
      const called = new Promise<void>((resolve) => {
        wake = resolve
      })
      return {
        called,
        listener: () => {
          notified.push(name)
          wake()
        },
      }
    }
    const [near, far, unsubscribed] = [newListener('near'), newListener('far'), newListener('unsubscribed')]
    store.storage.log.onAppend(near.listener)
    store.other.log.onAppend(far.listener)
    store.storage.log.onAppend(unsubscribed.listener)()
    await appendBlock(store.storage.log, aBlock({ n: 0 }))
    await Promise.all([near.called, far.called])
    expect(notified).toEqual(expect.arrayContaining(['near', 'far']))
    expect(notified).not.toContain('unsubscribed')
  })

  test('after a notification the block can be read', async () => {
    await using store = await open()
    // A notification may come without a new block, and while the store is closed
    const ignored = () => undefined
    const seen = new Promise<number>((resolve) => {
      store.other.log.onAppend(() => void store.other.log.head().then((head) => head && resolve(head.n), ignored))
    })
    await appendBlock(store.storage.log, aBlock({ n: 0 }))
    expect(await seen).toBe(0)
  })
}
