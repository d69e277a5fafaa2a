import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemRandom } from '../../../src/lib/random.js'
import { Handle, newHandle } from '../../../src/protocol/handles.js'
import type { Ending } from '../../../src/protocol/log/entry.js'
import { HandleTable, minuteOf } from '../../../src/protocol/log/handle-table.js'

/** The rules of the table over a Map of strings. */
class Reference {
  readonly horizons = new Map<Handle, number>()
  add({ handle, horizon = Number.POSITIVE_INFINITY }: Ending): void {
    this.horizons.set(handle, Math.max(this.horizons.get(handle) ?? -1, horizon))
  }
  forgetBefore(minute: number): void {
    for (const [handle, horizon] of this.horizons) if (minuteOf(horizon) < minute) this.horizons.delete(handle)
  }
  endings(): Ending[] {
    return [...this.horizons].map(([handle, horizon]) => (horizon === Number.POSITIVE_INFINITY ? { handle } : { handle, horizon }))
  }
}

const sorted = (endings: readonly Ending[]) => [...endings].sort((a, b) => (a.handle < b.handle ? -1 : 1))

const CHARACTERS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const characters = (constraints: { minLength: number; maxLength: number }) =>
  fc.array(fc.constantFrom(...CHARACTERS), constraints).map((all) => all.join(''))
const anyHandle = fc
  .tuple(
    fc.stringMatching(/^[a-z]{2,8}$/),
    fc.oneof(characters({ minLength: 22, maxLength: 22 }), characters({ minLength: 22, maxLength: 43 })),
  )
  .map(([kind, random]) => Handle.parse(`${kind}:${random}`))
/** Few handles, so that they repeat; some differ in one character or in the kind only. */
const SIMILAR = ['tok:', 'tol:', 'to:', 'tokk:', 'tokkk:', 'rk:'].flatMap((kind) =>
  ['A'.repeat(22), `${'A'.repeat(21)}B`, `B${'A'.repeat(21)}`, '-'.repeat(22), '_'.repeat(22), 'A'.repeat(23), `${'A'.repeat(42)}B`].map(
    (random) => Handle.parse(kind + random),
  ),
)
const horizons = fc.option(fc.oneof(fc.integer({ min: 0, max: 1200 }), fc.constantFrom(0, 59, 60, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe)), {
  nil: undefined,
})
const steps = fc.array(
  fc.oneof(
    fc.record({ handle: fc.oneof(fc.constantFrom(...SIMILAR), anyHandle), horizon: horizons }),
    fc.record({ minute: fc.nat(25) }),
    fc.record({ count: fc.nat(100) }),
  ),
  { maxLength: 200 },
)

describe('the table', () => {
  test('has the same handles with the same horizons as a Map, whatever is added and forgotten', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const [table, reference] = [new HandleTable(), new Reference()]
        for (const step of list) {
          if ('minute' in step) for (const one of [table, reference]) one.forgetBefore(step.minute)
          else if ('count' in step) table.reserve(step.count)
          else {
            const ending = step.horizon === undefined ? { handle: step.handle } : { handle: step.handle, horizon: step.horizon }
            for (const one of [table, reference]) one.add(ending)
          }
          expect(table.size).toBe(reference.horizons.size)
        }
        expect(sorted(table.endings())).toEqual(sorted(reference.endings()))
        for (const handle of SIMILAR) expect(table.has(handle)).toBe(reference.horizons.has(handle))
      }),
      { numRuns: 500 },
    )
  })

  // Of 200,000 random handles about five pairs have the same 32-bit hash, and about nine others have that of one in the table.
  test('compares whole handles: of 200,000 it finds each, and none of 200,000 others', () => {
    const [inside, outside] = [randomHandles(200_000), randomHandles(200_000)]
    const table = new HandleTable()
    for (const handle of inside) table.add({ handle })
    expect(table.size).toBe(inside.length)
    expect(inside.filter((handle) => !table.has(handle))).toEqual([])
    expect(outside.filter((handle) => table.has(handle))).toEqual([])
    expect(new Set(table.endings().map(({ handle }) => handle))).toEqual(new Set(inside))
  })

  test('has none of the handles that it has forgotten, all others, and room for new ones, when most of 100,000 are forgotten', () => {
    const all = randomHandles(100_000)
    const table = new HandleTable()
    for (const [i, handle] of all.entries()) table.add({ handle, horizon: i % 100 === 0 ? 6000 : 60 * (i % 10) })
    for (let minute = 1; minute <= 100; minute++) {
      table.forgetBefore(minute)
      expect(table.size).toBe(all.filter((_, i) => i % 100 === 0 || i % 10 >= minute).length)
    }
    expect(all.filter((handle, i) => table.has(handle) !== (i % 100 === 0))).toEqual([])
    const more = randomHandles(10_000)
    for (const handle of more) table.add({ handle, horizon: 9000 })
    table.forgetBefore(101)
    expect(all.filter((handle) => table.has(handle))).toEqual([])
    expect(more.filter((handle) => !table.has(handle))).toEqual([])
    expect(table.size).toBe(more.length)
  })

  test('never forgets a handle whose horizon is after the year 2105', () => {
    const [first, second] = randomHandles(2)
    const table = new HandleTable()
    for (const handle of [first, second]) if (handle) table.add({ handle, horizon: 60 })
    if (first) table.add({ handle: first, horizon: Number.MAX_SAFE_INTEGER })
    table.forgetBefore(Number.MAX_SAFE_INTEGER)
    expect(table.endings()).toEqual([{ handle: first }])
  })
})

function randomHandles(count: number): Handle[] {
  return Array.from({ length: count }, () => newHandle(systemRandom, 'tok'))
}
