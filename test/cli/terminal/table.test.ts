import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import { type Column, tableLines, tsvCells } from '../../../src/cli/terminal/table.js'
import { humanTime, isoTime, isTime } from '../../../src/cli/terminal/times.js'

interface Item {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly at: number
}
const COLUMNS: readonly Column<Item>[] = [
  { name: 'id', value: ({ id }) => id, kind: 'id' },
  { name: 'name', value: ({ name }) => name },
  { name: 'state', value: ({ state }) => state, kind: 'state' },
  { name: 'created', value: ({ at }) => at, kind: 'time' },
  { name: 'detail', value: ({ at }) => at, kind: 'detail' },
]
const NOW = 1_800_000_000
const linesOf = (items: readonly Item[], width: number) => {
  const { lines, leftOut } = tableLines(COLUMNS, items, { width, now: NOW })
  return { lines: lines.map((line) => line.map(({ text }) => text).join('')), leftOut }
}
const item = (changes: Partial<Item> = {}): Item => ({ id: 'agt_1', name: 'ocr', state: 'active', at: NOW - 90, ...changes })

test('a table has heads, relative times, and only as much room as it needs', () => {
  expect(linesOf([item(), item({ id: 'agt_22', name: 'planner', state: 'revoked', at: NOW + 3 * 86_400 })], 80)).toEqual({
    lines: ['ID      NAME     STATE    CREATED', 'agt_1   ocr      active   1 min ago', 'agt_22  planner  revoked  in 3 d'],
    leftOut: [],
  })
})

test('columns are left out from the last to the first, and an id is never cut off', () => {
  const long = item({ id: 'agt_0123456789abcdefghijkl', name: 'a name that is rather long for a table' })
  expect(linesOf([long], 48)).toEqual({
    lines: ['ID                          NAME          STATE', 'agt_0123456789abcdefghijkl  a name that…  active'],
    leftOut: ['created'],
  })
  expect(linesOf([long], 10)).toEqual({ lines: ['ID', 'agt_0123456789abcdefghijkl'], leftOut: ['name', 'state', 'created'] })
})

test('no table is wider than the terminal, whatever the texts are, as long as the first column fits', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 80 })
  const anyItem = fc.record({ id: fc.constant('agt_1'), name: text, state: text, at: fc.integer() })
  fc.assert(
    fc.property(fc.array(anyItem, { minLength: 1, maxLength: 5 }), fc.integer({ min: 10, max: 200 }), (items, width) => {
      const { lines } = linesOf(items, width)
      expect(lines.filter((line) => stringWidth(line) > width)).toEqual([])
      expect(lines).toHaveLength(items.length + 1)
    }),
  )
})

test('a control character of another organisation takes no part in the layout', () => {
  const { lines } = linesOf([item({ name: '\u001b[31mred\nnext' })], 80)
  expect(lines).toHaveLength(2)
  expect(lines[1]).toContain('\\u001b[31mred\\nnext')
})

test('the cells of values for programs are complete, with ISO times, lists and JSON', () => {
  const cells = tsvCells<{ list: string[]; object: object; at: number; none?: string }>(
    [
      { name: 'list', value: ({ list }) => list },
      { name: 'object', value: ({ object }) => object },
      { name: 'at', value: ({ at }) => at, kind: 'time' },
      { name: 'none', value: ({ none }) => none, kind: 'detail' },
    ],
    { list: ['a', 'b'], object: { c: 1 }, at: NOW },
  )
  expect(cells).toEqual(['a b', '{"c":1}', '2027-01-15T08:00:00Z', ''])
})

describe('times', () => {
  test.each([
    [NOW, '0 s ago'],
    [NOW + 59, 'in 59 s'],
    [NOW + 4 * 60 + 59, 'in 4 min'],
    [NOW - 47 * 3600, '47 h ago'],
    [NOW - 2 * 86_400, '2 d ago'],
    [NOW + 60 * 86_400, '2027-03-16'],
    [90, '90'],
    [1e20, '100000000000000000000'],
    ['soon', 'soon'],
    [undefined, ''],
  ])('%s is %s', (value, text) => expect(humanTime(value, NOW)).toBe(text))

  test('only members that are named like times, with values that can be times, are converted', () => {
    expect([isTime('expiresAt', NOW), isTime('deadline', NOW), isTime('offeredUntil', NOW)]).toEqual([true, true, true])
    expect([isTime('size', NOW), isTime('expiresAt', 300), isTime('expiresAt', 'x'), isTime('expiresAt', Number.NaN)]).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect([isoTime(NOW), isoTime(Number.MAX_VALUE)]).toEqual(['2027-01-15T08:00:00Z', '1.7976931348623157e+308'])
  })
})
