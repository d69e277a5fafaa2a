import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../src/errors.js'
import { utf8 } from '../../src/lib/bytes.js'
import { parseJson, readJson } from '../../src/lib/json.js'

describe('strict JSON', () => {
  test.each([
    ['a member twice', '{"a":1,"a":2}'],
    ['a member twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['a member twice in an inner object', '[{"b":{"a":1 , "a" :2}}]'],
    ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`],
    ['8000 levels', `${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`],
    ['__proto__', '{"__proto__":{"polluted":true}}'],
    ['__proto__, escaped', '{"__pr\\u006fto__":1}'],
    ['constructor', '{"constructor":null}'],
    ['a lone surrogate by escape', '"\\ud800"'],
    ['a lone surrogate in a name', '{"\\udc00":1}'],
    ['a lone surrogate in the text', '"\ud800"'],
    ['a number beyond a double', '[1e400]'],
    ['a negative one', '[-1e999]'],
    ['a trailing comma', '[1,]'],
    ['two values', '1 2'],
    ['nothing', ''],
    ['an open string', '"abc'],
    ['a string that ends in an escape', '"abc\\'],
    ['a control character', '"a\nb"'],
    ['NaN', 'NaN'],
    ['a byte order mark', '\ufeff{}'],
  ])('refuses %s', (_, text) => {
    expect(readJson(text)).toHaveProperty('fault')
    expect(() => parseJson(text)).toThrow(Refusal)
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(readJson(Uint8Array.of(0x22, 0xff, 0x22))).toEqual({ fault: 'not UTF-8' })
    expect(readJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toEqual({ fault: 'not UTF-8' })
  })

  test('takes 32 levels, and 31 where the limit is 31', () => {
    const levels = (n: number) => `${'['.repeat(n)}${']'.repeat(n)}`
    expect(readJson(levels(32))).toHaveProperty('value')
    expect(readJson(levels(32), { maxDepth: 31 })).toHaveProperty('fault')
  })

  test('measures before it reads', () => {
    expect(readJson(`"${'x'.repeat(100)}"`, { maxBytes: 64 })).toEqual({ fault: 'longer than 64 bytes' })
  })

  test('a bound is in bytes of UTF-8, however the text is handed over', () => {
    const text = `"${'€'.repeat(20)}"`
    for (const input of [text, utf8(text)]) {
      expect(readJson(input, { maxBytes: 61 })).toEqual({ fault: 'longer than 61 bytes' })
      expect(readJson(input, { maxBytes: 62 })).toHaveProperty('value')
    }
  })

  test('the same name in two objects is no duplicate, nor is a name that stands in a string', () => {
    const text = '[{"a":{"a":"{\\"a\\":1,\\"a\\":2}"}},{"a":"a"},"a","a"]'
    expect(parseJson(text)).toEqual(JSON.parse(text))
  })

  test('reads what JSON.parse reads, from text and from bytes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        fc.pre(!/__proto__|constructor|prototype/.test(text) && !/\p{Surrogate}/u.test(text) && !/\\ud/i.test(text))
        const read = readJson(text)
        // fast-check may write a name twice; JSON.parse takes the last.
        if ('fault' in read) expect(read.fault).toBe('a member that stands twice')
        else {
          expect(read.value).toEqual(JSON.parse(text))
          expect(readJson(utf8(text))).toEqual(read)
        }
      }),
    )
  })

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'{}[]":,\\u0dceE+-. 1a') })), (text) => {
        const read = readJson(text)
        expect('value' in read || 'fault' in read).toBe(true)
        if ('value' in read) expect(read.value).toEqual(JSON.parse(text))
      }),
      { numRuns: 1000 },
    )
  })
})
