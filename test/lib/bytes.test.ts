import { expect, test } from 'vitest'
import { equalBytes, equalTexts, utf8 } from '../../src/lib/bytes.js'

test('bytes and texts are equal only if they have the same length and content', () => {
  expect(equalBytes(utf8('abc'), utf8('abc'))).toBe(true)
  expect(equalBytes(new Uint8Array(), new Uint8Array())).toBe(true)
  for (const other of ['abd', 'xbc', 'ab', 'abcd', '']) {
    expect(equalBytes(utf8('abc'), utf8(other))).toBe(false)
    expect(equalTexts('abc', other)).toBe(false)
  }
  expect(equalTexts('ä', 'ä')).toBe(true)
})

test('a comparison reads every byte even if the first one differs', () => {
  const readIndexes = new Set<string>()
  const observed = new Proxy(utf8('secret'), {
    get: (bytes, name) => {
      if (/^\d+$/.test(String(name))) readIndexes.add(String(name))
      return Reflect.get(bytes, name, bytes)
    },
  })
  expect(equalBytes(observed, utf8('xecret'))).toBe(false)
  expect([...readIndexes]).toEqual(['0', '1', '2', '3', '4', '5'])
})
