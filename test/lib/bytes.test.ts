import { expect, test } from 'vitest'
import { equalBytes, equalTexts, utf8 } from '../../src/lib/bytes.js'

test('equal and unequal bytes and texts', () => {
  expect(equalBytes(utf8('abc'), utf8('abc'))).toBe(true)
  expect(equalBytes(new Uint8Array(), new Uint8Array())).toBe(true)
  for (const other of ['abd', 'xbc', 'ab', 'abcd', '']) {
    expect(equalBytes(utf8('abc'), utf8(other))).toBe(false)
    expect(equalTexts('abc', other)).toBe(false)
  }
  expect(equalTexts('ä', 'ä')).toBe(true)
})

test('a comparison looks at every byte, wherever the first difference is', () => {
  const seen = new Set<string>()
  const watched = new Proxy(utf8('secret'), {
    get: (bytes, name) => {
      if (/^\d+$/.test(String(name))) seen.add(String(name))
      return Reflect.get(bytes, name, bytes)
    },
  })
  expect(equalBytes(watched, utf8('xecret'))).toBe(false)
  expect([...seen]).toEqual(['0', '1', '2', '3', '4', '5'])
})
