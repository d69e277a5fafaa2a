import { expect, test } from 'vitest'
import { EntryId } from '../../../src/protocol/ids.js'
import { Block } from '../../../src/protocol/log/entry.js'
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

  test('of twenty callers who append the same number, one does, and its block is the one that stands', async () => {
    await using store = await open()
    const told = await atOnce(store, (storage, caller) => storage.log.append(aBlock({ n: 0, writer: `w${caller}` })))
    expect(told.filter((answer) => answer === 'appended')).toHaveLength(1)
    const winner = told.indexOf('appended')
    expect(await store.other.log.head()).toEqual(aBlock({ n: 0, writer: `w${winner}` }))
    for (let caller = 0; caller < CALLERS; caller++) {
      expect(await store.storage.log.has(entryId(`w${caller}-0-0`))).toBe(caller === winner ? 0 : undefined)
    }
  })

  test('what a newer build wrote into a block comes back whole', async () => {
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
    await store.storage.log.append(newer as Block)
    expect(await store.other.log.head()).toEqual(newer)
    expect(await store.other.log.read(0, 1)).toEqual([newer])
  })

  test('twenty appenders who read on and try again leave blocks without holes', async () => {
    await using store = await open()
    await atOnce(store, async ({ log }, caller) => {
      for (;;) {
        const n = ((await log.head())?.n ?? -1) + 1
        if ((await log.append(aBlock({ n, writer: `w${caller}` }))) === 'appended') return
      }
    })
    const blocks = await store.storage.log.read(0, 100)
    expect(blocks.map((block) => block.n)).toEqual(Array.from({ length: CALLERS }, (_, n) => n))
    expect(new Set(blocks.map((block) => block.writer)).size).toBe(CALLERS)
  })

  test('a block that would leave a hole, or misfits its schema, is a bug and is not written', async () => {
    await using store = await open()
    const { log } = store.storage
    await log.append(aBlock({ n: 0 }))
    await expect(log.append(aBlock({ n: 2 }))).rejects.toThrow('hole')
    await expect(log.append({ ...aBlock({ n: 1 }), entries: [] })).rejects.toThrow()
    expect((await log.head())?.n).toBe(0)
  })

  test('read begins at a number and stops at its limit; head, has and blockOf find by number, id and position', async () => {
    await using store = await open()
    const { log } = store.storage
    const blocks = [aBlock({ n: 0, count: 3 }), aBlock({ n: 1, first: 3 }), aBlock({ n: 2, first: 4, count: 2 })]
    for (const block of blocks) expect(await log.append(block)).toBe('appended')
    expect(await log.read(0, 10)).toEqual(blocks)
    expect(await log.read(1, 1)).toEqual([blocks[1]])
    expect(await log.read(3, 10)).toEqual([])
    expect(await log.head()).toEqual(blocks[2])
    expect(await Promise.all([0, 1, 2, 3, 4, 5, 6].map(async (seq) => (await log.blockOf(seq))?.n))).toEqual([0, 0, 0, 1, 2, 2, undefined])
    expect(await log.has(entryId('w-0-2'))).toBe(0)
    expect(await log.has(entryId('w-2-1'))).toBe(2)
    expect(await log.append(aBlock({ n: 1, writer: 'late' }))).toBe('taken')
    expect(await log.has(entryId('late-1-0'))).toBeUndefined()
  })

  test('an id that stands already keeps its first place', async () => {
    await using store = await open()
    const { log } = store.storage
    await log.append(aBlock({ n: 0 }))
    const again = aBlock({ n: 1 })
    expect(await log.append({ ...again, entries: aBlock({ n: 0 }).entries.map((entry) => ({ ...entry, seq: 1 })) })).toBe('appended')
    expect(await log.has(entryId('w-0-0'))).toBe(0)
  })

  test('head answers with what was acknowledged before it was asked', async () => {
    await using store = await open()
    for (let n = 0; n < 10; n++) {
      await store.storage.log.append(aBlock({ n }))
      expect((await store.other.log.head())?.n).toBe(n)
    }
  })

  test('an append rings every listener on every Storage until it stops listening, and one that is taken need not', async () => {
    await using store = await open()
    const heard: string[] = []
    const ringing = (name: string) => {
      let wake: () => void = () => {}
      const rung = new Promise<void>((resolve) => {
        wake = resolve
      })
      return {
        rung,
        ring: () => {
          heard.push(name)
          wake()
        },
      }
    }
    const [near, far, gone] = [ringing('near'), ringing('far'), ringing('gone')]
    store.storage.log.onAppend(near.ring)
    store.other.log.onAppend(far.ring)
    store.storage.log.onAppend(gone.ring)()
    await store.storage.log.append(aBlock({ n: 0 }))
    await Promise.all([near.rung, far.rung])
    expect(heard).toEqual(expect.arrayContaining(['near', 'far']))
    expect(heard).not.toContain('gone')
  })

  test('when the bell rings, the block can be read', async () => {
    await using store = await open()
    // A bell may also ring for nothing, and while the store is closed.
    const ignored = () => undefined
    const seen = new Promise<number>((resolve) => {
      store.other.log.onAppend(() => void store.other.log.head().then((head) => head && resolve(head.n), ignored))
    })
    await store.storage.log.append(aBlock({ n: 0 }))
    expect(await seen).toBe(0)
  })
}
