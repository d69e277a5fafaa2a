import fc from 'fast-check'
import { expect, test } from 'vitest'
import { positionsIn } from '../../../src/cli/lint/positions.js'
import { isJsonObject, type JsonValue } from '../../../src/lib/json.js'
import { pointerToken } from '../../../src/lib/json-pointer.js'

/** Every pointer into a value, with the name or the element that its position begins with. */
function pointersInto(value: JsonValue, pointer = ''): [pointer: string, name: string | undefined, value: JsonValue][] {
  const own: [string, string | undefined, JsonValue][] = Array.isArray(value)
    ? value.map((item: JsonValue, i) => [`${pointer}/${i}`, undefined, item])
    : isJsonObject(value)
      ? Object.entries(value).map(([name, member]) => [`${pointer}/${pointerToken(name)}`, name, member])
      : []
  return own.flatMap(([at, name, member]) => [[at, name, member], ...pointersInto(member, at)])
}

test('a pointer leads to the name of its member or to its element, in any JSON text', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(0, 2), (json, indent) => {
      const value = JSON.parse(json) as JsonValue
      const text = JSON.stringify(value, null, indent)
      const find = positionsIn(text)
      for (const [pointer, name, member] of pointersInto(value)) {
        const { line, column } = find(pointer)
        const rest = text
          .split('\n')
          .slice(line - 1)
          .join('\n')
          .slice(column - 1)
        const start =
          name === undefined ? (typeof member === 'object' ? JSON.stringify(member)[0] : JSON.stringify(member)) : JSON.stringify(name)
        expect(rest.startsWith(start ?? '')).toBe(true)
      }
    }),
  )
})

test('a missing member has the position of the part that should have it; a text that is not JSON its beginning', () => {
  const find = positionsIn('{\n  "a": [\n    {}\n  ]\n}')
  expect(find('/a/0/b/c')).toEqual({ line: 3, column: 5 })
  expect(find('/b')).toEqual({ line: 1, column: 1 })
  expect(find('')).toEqual({ line: 1, column: 1 })
  expect(positionsIn('\n x ] , }')('/a')).toEqual({ line: 2, column: 2 })
  expect(positionsIn('')('/a')).toEqual({ line: 1, column: 1 })
})
