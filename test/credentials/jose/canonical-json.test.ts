import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { utf8 } from '../../../src/lib/bytes.js'
import { parseJson } from '../../../src/lib/json.js'
import { describeShared } from '../../shared-material.js'

describeShared('vectors/jcs', 'RFC 8785 vectors', (vectors) => {
  test.each(vectors.names('input'))('%s', (name) => {
    const text = canonical(parseJson(vectors.bytes(`input/${name}`)))
    expect(text).toBe(vectors.text(`output/${name}`))
    const hex = vectors
      .text(`outhex/${name.replace('.json', '.txt')}`)
      .trim()
      .split(/\s+/)
    expect([...utf8(text)].map((byte) => byte.toString(16).padStart(2, '0'))).toEqual(hex)
  })

  test.each(vectors.json('rfc8785-appendixB.json') as [string, string][])('appendix B, IEEE 754 %s → %s', (ieee, text) => {
    const number = new DataView(Uint8Array.from(ieee.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)).buffer).getFloat64(0)
    if (text === '') expect(() => canonical(number)).toThrow(TypeError)
    else expect(canonical(number)).toBe(text)
  })
})

describe('canonical JSON', () => {
  const json = fc.jsonValue({ maxDepth: 5 }).filter((value) => !/__proto__|constructor|prototype/.test(JSON.stringify(value)))

  test('canonical text is unchanged if it is parsed and serialised again', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonical(value)
        expect(canonical(parseJson(text))).toBe(text)
        expect(parseJson(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('canonical text does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), (object) => {
        expect(canonical(Object.fromEntries(Object.entries(object).reverse()))).toBe(canonical(object))
      }),
    )
  })

  test('the text of a list has the texts of its elements', () => {
    const flat = fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('a', 'b', '9', '10')),
      fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(json, flat)), (list) => {
        expect(canonical(list)).toBe(`[${list.map(canonical).join(',')}]`)
      }),
    )
  })

  test.each([
    [[{ a: '\ud800' }]],
    [[{ '\ud800': 1 }]],
    [[{ a: Number.NaN }]],
    [['\udc00']],
    [[undefined]],
  ])('%o, a list, has no canonical text', (list) => {
    expect(() => canonical(list)).toThrow(TypeError)
  })

  test('an object in a list is no exception: undefined members are omitted, and toJSON is not called', () => {
    expect(canonical([{ a: undefined }, new Date(0)])).toBe('[{},{}]')
  })

  test.each([
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['\ud800'],
    [{ '\udc00': 1 }],
    [undefined],
    [() => 1],
    [1n],
  ])('%o has no canonical text', (value) => {
    expect(() => canonical(value)).toThrow(TypeError)
  })

  test('members with the value undefined are omitted', () => {
    expect(canonical({ b: undefined, a: 1 })).toBe('{"a":1}')
  })
})
