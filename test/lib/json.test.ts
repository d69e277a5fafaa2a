import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../src/errors.js'
import { utf8 } from '../../src/lib/bytes.js'
import { parseJson, readJson } from '../../src/lib/json.js'

describe('strict JSON', () => {
  test.each([
    ['a duplicate member', '{"a":1,"a":2}'],
    ['a duplicate member, escaped once', '{"a":1,"\\u0061":2}'],
    ['a duplicate member of a nested object', '[{"b":{"a":1 , "a" :2}}]'],
    ['33 levels of nesting', `${'['.repeat(33)}${']'.repeat(33)}`],
    ['8000 levels of nesting', `${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`],
    ['a member named __proto__', '{"__proto__":{"polluted":true}}'],
    ['a member named __proto__, escaped', '{"__pr\\u006fto__":1}'],
    ['a member named constructor', '{"constructor":null}'],
    ['an escaped lone surrogate', '"\\ud800"'],
    ['a lone surrogate in a member name', '{"\\udc00":1}'],
    ['an unescaped lone surrogate', '"\ud800"'],
    ['a number outside the range of a double', '[1e400]'],
    ['a negative number outside the range of a double', '[-1e999]'],
    ['a trailing comma', '[1,]'],
    ['10,001 elements', `[${'0,'.repeat(10_000)}0]`],
    ['10,001 members', `{${Array.from({ length: 10_001 }, (_, i) => `"${i}":0`).join()}}`],
    ['two values', '1 2'],
    ['an empty text', ''],
    ['an unterminated string', '"abc'],
    ['an unterminated string that ends with a backslash', '"abc\\'],
    ['an unescaped control character', '"a\nb"'],
    ['NaN', 'NaN'],
    ['a byte order mark', '\ufeff{}'],
  ])('a text with %s is refused', (_, text) => {
    expect(readJson(text)).toHaveProperty('fault')
    expect(() => parseJson(text)).toThrow(Refusal)
  })

  test('a short text has the same value or fault as when it is padded to a long one', () => {
    const member = fc.constantFrom('"a"', '"b"', '"a:b"', '"é"', '"\\u0061"', '"constructor"', '1', '-0', '1e400', 'null', '"\\ud800"')
    const token = fc.oneof({ weight: 2, arbitrary: member }, fc.constantFrom('{', '}', '[', ']', ':', ',', ' '))
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 4 }, member, tie('object'), tie('array')),
      array: fc.array(tie('any'), { maxLength: 3 }).map((elements) => `[${elements.join(',')}]`),
      object: fc
        .array(fc.tuple(member, tie('any')), { maxLength: 3 })
        .map((members) => `{${members.map((pair) => pair.join(':')).join(',')}}`),
    })).any as fc.Arbitrary<string>
    const text = fc.oneof(
      value,
      fc.array(token, { maxLength: 10 }).map((tokens) => tokens.join('')),
    )
    fc.assert(
      fc.property(text, (short) => {
        // Strict JSON ignores white space, and a text of this length is scanned before it is parsed
        expect(readJson(short, { maxDepth: 3 })).toEqual(readJson(short + ' '.repeat(10_000), { maxDepth: 3 }))
      }),
      { numRuns: 3000 },
    )
  })

  test('bytes that are not UTF-8 are refused', () => {
    expect(readJson(Uint8Array.of(0x22, 0xff, 0x22))).toEqual({ fault: 'not UTF-8' })
    expect(readJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))).toEqual({ fault: 'not UTF-8' })
  })

  test('the maximum depth is 32 levels unless the caller sets a lower one', () => {
    const levels = (n: number) => `${'['.repeat(n)}${']'.repeat(n)}`
    expect(readJson(levels(32))).toHaveProperty('value')
    expect(readJson(levels(32), { maxDepth: 31 })).toHaveProperty('fault')
  })

  test('10,000 values are allowed, and commas in strings do not count', () => {
    expect(readJson(`[${'0,'.repeat(9_999)}0]`)).toHaveProperty('value')
    expect(readJson(`["${','.repeat(20_000)}"]`)).toHaveProperty('value')
  })

  test('a text past the maximum size is refused', () => {
    expect(readJson(`"${'x'.repeat(100)}"`, { maxBytes: 64 })).toEqual({ fault: 'longer than 64 bytes' })
  })

  test('the maximum size counts UTF-8 bytes for strings and for bytes', () => {
    const text = `"${'€'.repeat(20)}"`
    for (const input of [text, utf8(text)]) {
      expect(readJson(input, { maxBytes: 61 })).toEqual({ fault: 'longer than 61 bytes' })
      expect(readJson(input, { maxBytes: 62 })).toHaveProperty('value')
    }
  })

  test('equal names in two objects or inside a string are not duplicates', () => {
    const text = '[{"a":{"a":"{\\"a\\":1,\\"a\\":2}"}},{"a":"a"},"a","a"]'
    expect(parseJson(text)).toEqual(JSON.parse(text))
  })

  test('valid JSON gives the same value as JSON.parse, from text and from bytes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        fc.pre(!/__proto__|constructor|prototype/.test(text) && !/\p{Surrogate}/u.test(text) && !/\\ud/i.test(text))
        const read = readJson(text)
        // fast-check may generate a duplicate name, which JSON.parse accepts
        if ('fault' in read) expect(read.fault).toBe('a duplicate member name')
        else {
          expect(read.value).toEqual(JSON.parse(text))
          expect(readJson(utf8(text))).toEqual(read)
        }
      }),
    )
  })

  test('readJson never throws', () => {
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
