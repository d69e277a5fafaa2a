import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { Entry, MAX_ENDINGS } from '../../../src/protocol/log/entry.js'
import { headOfEntryText } from '../../../src/protocol/log/entry-text.js'
import { cpuMsOf } from '../../awake-time.js'

const base64url = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9_-]{${length}}$`))
const count = fc.oneof(fc.nat(2_000_000_000), fc.constantFrom(0, 999_999_999_999_999))
const ending = fc
  .tuple(fc.stringMatching(/^[a-z]{2,8}$/), base64url(22), fc.option(count, { nil: undefined }))
  .map(([kind, random, horizon]) => ({ handle: `${kind}:${random}`, ...(horizon !== undefined && { horizon }) }))
const entry = fc.record(
  {
    id: base64url(22).map((random) => `ent_${random}`),
    type: fc.stringMatching(/^[a-z]{1,9}(-[a-z]{1,9}){0,2}\.[a-z]{1,9}(-[a-z]{1,9}){0,2}$/),
    ends: fc.array(ending, { maxLength: 3 }),
    digest: base64url(43),
    seq: count,
    time: count,
  },
  { requiredKeys: ['id', 'type', 'ends', 'seq', 'time'] },
)
/** Values that schema and expression may see differently. */
const UNUSUAL: readonly unknown[] = [
  ...[-1, -0, 0.5, 1e15, 2 ** 53, 1e21, '1', '', 'é', '\n', '"', '\\', '\ud83d\ude00', 'a'.repeat(65), 'token.revoked', null, true],
  ...[
    [],
    {},
    [{}],
    [{ handle: `tok:${'A'.repeat(22)}`, extra: 1 }],
    [{ handle: `tok:${'A'.repeat(43)}` }],
    [{ handle: `tok:${'A'.repeat(44)}` }],
  ],
  ...['a.b', 'A.b', 'a-.b', 'a..b', 'ent_', `ent_${'A'.repeat(23)}`],
]
const changedEntry = fc
  .tuple(entry, fc.constantFrom('id', 'type', 'ends', 'digest', 'seq', 'time', 'weather'), fc.constantFrom(...UNUSUAL))
  .map(([value, name, other]) => ({ ...value, [name]: other }))
/** The text with one character inserted, removed or replaced. */
const changedText = fc
  .tuple(
    entry,
    fc.nat(),
    fc.nat(1),
    fc.constantFrom('', ' ', '\n', '0', '1', 'e', 'E', '+', '-', '.', ',', '"', '{', '}', ']', '\\', 'A', 'é'),
  )
  .map(([value, at, removed, inserted]) => {
    const text = canonical(value)
    const start = at % text.length
    return text.slice(0, start) + inserted + text.slice(start + removed)
  })

/** The head of the entry if the text is the RFC 8785 text of a valid entry. */
function headBySchema(text: string): Pick<Entry, 'seq' | 'type'> | undefined {
  try {
    const parsed = Entry.safeParse(JSON.parse(text))
    return parsed.success && canonical(parsed.data) === text ? { seq: parsed.data.seq, type: parsed.data.type } : undefined
  } catch {
    return undefined
  }
}

test('the text of a valid entry with known members has a head', () => {
  fc.assert(
    fc.property(entry, (value) => {
      expect(headOfEntryText(canonical(value))).toEqual({ seq: value.seq, type: value.type })
    }),
  )
})

test('a text has a head only if the schema accepts the entry and the text is its RFC 8785 form', () => {
  const texts = fc.oneof(
    changedText,
    changedEntry.map(canonical),
    entry.map((value) => JSON.stringify(value)),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const head = headOfEntryText(text)
      if (head !== undefined) expect(head).toEqual(headBySchema(text))
    }),
    { numRuns: 5000 },
  )
})

test('an entry may have 10,000 endings, and a text with more has no head', () => {
  const withEndings = (length: number) =>
    canonical({
      id: `ent_${'A'.repeat(22)}`,
      type: 'token.revoked',
      ends: Array.from({ length }, () => ({ handle: `tok:${'A'.repeat(22)}`, horizon: 1_800_000_000 })),
      seq: 7,
      time: 1,
    })
  expect(headOfEntryText(withEndings(MAX_ENDINGS))).toEqual({ seq: 7, type: 'token.revoked' })
  expect(headOfEntryText(withEndings(MAX_ENDINGS + 1))).toBeUndefined()
})

test('a text of two million characters that is almost an entry is read in linear time', () => {
  const ending = `{"handle":"abcdefgh:${'A'.repeat(43)}","horizon":123456789012345}`
  const text = `{"ends":[${`${ending},`.repeat(9_999)}${ending}],"id":"ent_${'A'.repeat(22)}","seq":1,"time":1,"type":"${'a-'.repeat(500_000)}"}`
  expect(cpuMsOf(() => expect(headOfEntryText(text)).toBeUndefined())).toBeLessThan(2000)
})
