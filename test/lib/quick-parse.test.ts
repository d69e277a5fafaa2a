import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { quickParse } from '../../src/lib/quick-parse.js'
import { COLLECTIONS } from '../../src/operations/collections.js'
import { AccessTokenClaims } from '../../src/protocol/claims.js'

const schemas: [string, z.ZodType][] = [
  ...COLLECTIONS.map(({ name, schema }): [string, z.ZodType] => [name, schema]),
  ['claims of an access token', AccessTokenClaims],
]

/** Built once: fast-check needs longer to build these arbitraries than to draw from them. */
const JSON_VALUE = fc.jsonValue()
const strings = new Map<string, fc.Arbitrary<string>>()
function stringOf(minLength: number, maxLength: number): fc.Arbitrary<string> {
  const name = `${minLength} ${maxLength}`
  const known = strings.get(name) ?? fc.string({ minLength, maxLength })
  strings.set(name, known)
  return known
}

/** Values that match the schema, as far as this function knows its parts. */
function matching(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const { def } = (schema as z.core.$ZodTypes)._zod
  const rules = (def.checks ?? []).map(({ _zod }) => _zod.def as z.core.$ZodChecks['_zod']['def'])
  const bound = (name: string, otherwise: number): number => {
    const rule = rules.find(({ check }) => check === name || check === 'length_equals')
    const { length, minimum, maximum, value } = { ...rule } as Record<string, unknown>
    return Number(length ?? minimum ?? maximum ?? value ?? otherwise)
  }
  switch (def.type) {
    case 'string': {
      const pattern = rules.find((rule) => rule.check === 'string_format')?.pattern
      const minLength = bound('min_length', 0)
      return pattern ? fc.stringMatching(pattern) : stringOf(minLength, Math.min(bound('max_length', 20), minLength + 20))
    }
    case 'number':
      return 'format' in def ? fc.integer({ min: bound('greater_than', 0), max: bound('less_than', 2 ** 40) }) : fc.double()
    case 'boolean':
      return fc.boolean()
    case 'literal':
      return fc.constantFrom(...def.values)
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries))
    case 'optional':
      return fc.option(matching(def.innerType), { nil: undefined })
    case 'nullable':
      return fc.option(matching(def.innerType))
    case 'default':
      return matching(def.innerType)
    case 'union':
      return fc.oneof(...def.options.map(matching))
    case 'array':
      return fc.array(matching(def.element), { minLength: bound('min_length', 0), maxLength: Math.min(bound('max_length', 3), 3) })
    case 'tuple':
      return fc.tuple(...def.items.map(matching))
    case 'record':
      return fc.dictionary(matching(def.keyType) as fc.Arbitrary<string>, matching(def.valueType), { maxKeys: 3 })
    case 'object':
      return fc
        .record(Object.fromEntries(Object.entries(def.shape).map(([name, member]) => [name, matching(member)])))
        .map((value) => Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)))
    case 'lazy':
      return fc.constant(undefined)
    default:
      return JSON_VALUE
  }
}

/** The value with one change somewhere inside. */
const damaged = (value: unknown): fc.Arbitrary<unknown> => {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    const inside = fc.constantFrom(...Object.keys(value)).chain((name) =>
      damaged((value as Record<string, unknown>)[name]).map((member) => {
        if (Array.isArray(value)) return value.map((element, i) => (String(i) === name ? member : element))
        return { ...value, [name]: member }
      }),
    )
    const grown = JSON_VALUE.map((member) => (Array.isArray(value) ? [...value, member] : { ...value, more: member }))
    return fc.oneof({ weight: 4, arbitrary: inside }, grown, JSON_VALUE)
  }
  return fc.oneof(JSON_VALUE, fc.constantFrom(undefined, Number.NaN, -1, 0.5, 2 ** 60, '', 'x'.repeat(10_000), [], {}, new Date(0)))
}

describe('quickParse', () => {
  test.each(schemas)('%s: gives what zod gives, for random values', (_, schema) => {
    let quick = 0
    fc.assert(
      fc.property(
        matching(schema).chain((value) => fc.tuple(fc.constant(value), damaged(value))),
        (values) => {
          for (const value of values) {
            const expected = schema.safeParse(value)
            const found = quickParse(schema, value)
            expect(found.success).toBe(expected.success)
            expect(found.data).toEqual(expected.data)
            if (found.data === value && typeof value === 'object') quick++
          }
        },
      ),
      { numRuns: 150 },
    )
    // Without an unknown part, a document that matches never reaches zod
    expect(quick).toBeGreaterThan(0)
  })

  test.each([
    ['a transformation', z.object({ a: z.string().transform((text) => text.length) }), { a: 'abc' }, { a: 3 }],
    ['a default', z.object({ a: z.string().default('x') }), {}, { a: 'x' }],
    ['a trimmed string', z.object({ a: z.string().trim() }), { a: ' x ' }, { a: 'x' }],
    ['a coerced number', z.object({ a: z.coerce.number() }), { a: '1' }, { a: 1 }],
    ['a member that is removed', z.object({ a: z.int() }), { a: 1, b: 2 }, { a: 1 }],
    ['a format', z.object({ a: z.email() }), { a: 'a@example.com' }, { a: 'a@example.com' }],
    ['a loose object', z.looseObject({ a: z.int() }), { a: 1, b: 2 }, { a: 1, b: 2 }],
    [
      'an earlier option that removes a member',
      z.union([z.object({ a: z.int() }), z.object({ a: z.int(), b: z.int() })]),
      { a: 1, b: 2 },
      { a: 1 },
    ],
    ['an earlier option that changes a string', z.union([z.string().trim(), z.string()]), ' a', 'a'],
    ['an earlier option with a transformation', z.union([z.string().transform((text) => `${text}!`), z.string()]), 'a', 'a!'],
    ['an inner default', z.object({ a: z.string().default('x').optional() }), {}, { a: 'x' }],
    ['an option that removes a member', z.union([z.looseObject({}), z.unknown()]), JSON.parse('{"__proto__":1}'), {}],
    ['a recursive schema', z.object({ a: z.lazy(() => z.object({ b: z.int() })) }), { a: { b: 1 } }, { a: { b: 1 } }],
  ])('%s has its effect', (_, schema, value, expected) => {
    expect(quickParse(schema as z.ZodType, value)).toEqual({ success: true, data: expected })
  })

  test.each([
    ['a check that zod makes with a function of its own', z.object({ a: z.string().check(z.startsWith('x')) }), { a: 'y' }],
    ['a check of several members', z.object({ a: z.int(), b: z.int() }).refine(({ a, b }) => a < b), { a: 2, b: 1 }],
    ['a strict object with another member', z.strictObject({ a: z.int() }), { a: 1, b: 1 }],
    ['an absent value', z.strictObject({ a: z.int().nullable() }), { a: undefined }],
    ['a record without one of its names', z.record(z.enum(['a', 'b']), z.number()), { a: 1 }],
    ['an exclusive union with two matches', z.xor([z.string(), z.string().min(1)]), 'a'],
    ['an optional member that may be absent but not undefined', z.object({ a: z.exactOptional(z.string()) }), { a: undefined }],
    ['a missing member', z.strictObject({ a: z.unknown() }), {}],
    ['an array in place of an object', z.strictObject({}), [1]],
    ['an array with a hole', z.array(z.string()), new Array(1)],
    ['an infinite number', z.strictObject({ a: z.number() }), { a: Number.POSITIVE_INFINITY }],
    ['an integer past 2^53', z.strictObject({ a: z.int() }), { a: 2 ** 53 }],
  ])('%s is refused as zod refuses it', (_, schema, value) => {
    const expected = schema.safeParse(value)
    expect(expected.success).toBe(false)
    expect(quickParse(schema as z.ZodType, value)).toEqual(expected)
  })
})
