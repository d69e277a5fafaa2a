import { describe, expect, test } from 'vitest'
import type { Step } from '../../../src/storage/sqlite/group-commit.js'
import { appendBlock } from '../../../src/trust-log/block.js'
import { aBlock } from '../contract/log.js'
import { thingsOf } from '../contract/things.js'
import { openStore } from '../open-store.js'

/** A promise, and the function that resolves it. */
function newSignal(): { readonly reached: Promise<void>; readonly reach: () => void } {
  let reach: () => void = () => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  return { reached, reach }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('group commit', () => {
  test('requests of one turn share one COMMIT, and each has its own savepoint', async () => {
    const steps: Step[] = []
    await using store = await openStore({ onStep: (step) => steps.push(step) })
    const things = thingsOf(store.storage)
    await Promise.all(Array.from({ length: 20 }, (_, i) => things.insert({ id: `t${i}`, group: 'g' })))
    const times = (step: Step) => steps.filter((one) => one === step).length
    expect([times('begun'), times('committed'), times('savepoint'), times('released')]).toEqual([1, 1, 20, 20])
  })

  test('no promise resolves before COMMIT, and no read returns uncommitted data', async () => {
    const [held, go] = [newSignal(), newSignal()]
    let isHeld = false
    let isCommitted = false
    await using store = await openStore({
      beforeCommit: async () => {
        if (!isHeld) return
        held.reach()
        await go.reached
      },
      onStep: (step) => {
        isCommitted ||= step === 'committed'
      },
    })
    const { storage } = store
    const things = thingsOf(storage)
    await things.insert({ id: 'existing', group: 'g' })
    isHeld = true
    isCommitted = false

    const early: string[] = []
    const resolved: string[] = []
    const watch = <T>(name: string, promise: Promise<T>): Promise<T> =>
      promise.finally(() => {
        resolved.push(name)
        if (!isCommitted) early.push(name)
      })
    const writes = [
      watch('insert', things.insert({ id: 'new', group: 'g' })),
      watch('exists', things.insert({ id: 'new', group: 'h' })),
      watch('change', things.change('existing', {}, { rank: 1 })),
      watch('no change', things.change('existing', { rank: 9 }, { rank: 1 })),
      watch('bug', things.change('existing', {}, { group: undefined })).catch(() => 'bug'),
      watch('commit', storage.commit([things.inserting({ id: 'more', group: 'g' })])),
      watch('count', storage.count('k', 1, 5, 2_000_000_000)),
      watch('append', appendBlock(storage.log, aBlock({ n: 0 }))),
    ]
    let notifications = 0
    storage.log.onAppend(() => {
      notifications++
    })
    await held.reached
    const reads = [
      watch('get', things.get('new')),
      watch('find', things.find('group', { where: { group: 'g' }, limit: 5 })),
      watch('head', storage.log.head()),
      watch('has', storage.log.has(aBlock({ n: 0 }).entries[0]?.id as never)),
      watch('search', storage.cards.search({ filters: [], tier: 'public', limit: 5 })),
    ]
    for (let i = 0; i < 5; i++) await turn()
    expect([resolved, notifications]).toEqual([[], 0])

    isHeld = false
    go.reach()
    expect(await Promise.all(writes)).toMatchObject(['inserted', 'exists', { rank: 1 }, undefined, 'bug', { ok: true }, 1, [{ ok: true }]])
    expect(await Promise.all(reads)).toMatchObject([{ id: 'new', group: 'g' }, { items: [{}, {}, {}] }, { n: 0 }, 0, { total: 0 }])
    expect(early).toEqual([])
    expect(notifications).toBe(1)
  })

  test('if COMMIT fails, the whole group is refused, and so are all later calls until the file is opened again', async () => {
    let fails = false
    await using store = await openStore({
      beforeCommit: () => {
        if (fails) throw new Error('the disk is gone')
      },
    })
    const things = thingsOf(store.storage)
    await things.insert({ id: 'before', group: 'g' })
    fails = true
    const results = await Promise.allSettled([things.insert({ id: 'a', group: 'g' }), things.insert({ id: 'before', group: 'g' })])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fails = false
    await expect(things.insert({ id: 'b', group: 'g' })).rejects.toThrow('could not commit')
    await expect(things.get('before')).rejects.toThrow('could not commit')
    await expect(store.storage.log.head()).rejects.toThrow('could not commit')
  })

  test('close commits earlier requests and refuses later ones', async () => {
    await using store = await openStore()
    const things = thingsOf(store.storage)
    const inserted = things.insert({ id: 'a', group: 'g' })
    const closed = store.storage.close()
    await expect(things.insert({ id: 'b', group: 'g' })).rejects.toThrow('closed')
    expect(await inserted).toBe('inserted')
    await closed
    await store.storage.close()
    await expect(things.get('a')).rejects.toThrow('closed')
  })
})
