import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccessTokenClaims } from '../../src/protocol/claims.js'
import { isPlainName } from '../../src/protocol/names.js'
import { coveredBySome, Names } from '../../src/protocol/rights.js'

test.each([
  'docs',
  'docs/secrets',
  'https://files.example/public',
  'https://files.example/a.b/..c/…',
  'file_read:github/specific',
  'urn:example:files',
  'übersicht/文書',
  'a%20b/50%',
  'https://files.example/search?q=a/b',
])('%s is a plain name', (name) => {
  expect(isPlainName(name)).toBe(true)
  expect(Names.safeParse([name]).success).toBe(true)
})

describe('a name that a server may normalise to another place', () => {
  test.each([
    ['a `..` segment', 'docs/../secrets'],
    ['a `.` segment', 'docs/./secrets'],
    ['an empty segment', 'docs//secrets'],
    ['a slash at the end', 'docs/'],
    ['a slash at the start', '/docs'],
    ['a URL with a `..` segment', 'https://files.example/public/../private'],
    ['a URL with an empty segment', 'https://files.example/public//private'],
    ['a URL without a host', 'file:///etc'],
    ['percent-encoded dots', 'docs/%2e%2E/secrets'],
    ['a percent-encoded slash', 'docs/..%2fsecrets'],
    ['dots that are percent-encoded twice', 'docs/%252e%252e/secrets'],
    ['dots that are percent-encoded six times', `docs/${['%2e'].map((text) => text.replace('%', '%25252525252525'))[0]}./secrets`],
    ['overlong UTF-8', 'docs/%c0%ae%c0%ae/secrets'],
    ['backslashes', 'docs\\..\\secrets'],
    ['full-width dots and slash', 'docs/．．／secrets'],
    ['a two-dot leader', 'docs/‥/secrets'],
    ['a `..` segment with a path parameter', 'docs/..;x/secrets'],
    ['a `..` segment with a space', 'docs/.. /secrets'],
    ['a line feed', 'docs/a\nb'],
    ['a percent-encoded line feed', 'docs/a%0ab'],
    ['a NUL', 'docs/a\u0000'],
    ['a right-to-left override', 'docs/\u202efdp.exe'],
    ['a percent-encoded right-to-left override', 'docs/%E2%80%AEfdp'],
    ['a line separator', 'docs/a\u2028b'],
    ['a lone surrogate', 'docs/\ud800'],
  ])('with %s is refused, and no other name covers it', (_, name) => {
    expect(isPlainName(name)).toBe(false)
    expect(Names.safeParse([name]).success).toBe(false)
    for (const claim of ['allowed_tools', 'allowed_resources'] as const)
      expect(AccessTokenClaims.shape[claim].safeParse([name]).success).toBe(false)
    for (const wide of ['docs', 'https://files.example/public']) expect(coveredBySome([wide], name)).toBe(false)
  })
})

test('a name that is covered stays below the covering one, however often a server decodes and resolves it', () => {
  const part = fc.constantFrom('a', '.', '..', '', '%2e', '%2E%2e', '%252e', '%2f', '%5c', '\\', '/', ';x', ' ', '．', '?q', '#f')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const name = `docs/${parts.join('')}`
      if (!coveredBySome(['docs'], name)) return
      for (let decoded = name, i = 0; i < 4; i++) {
        const url = new URL(`https://files.example/root/${decoded}`)
        expect(`${url.pathname}/`).toMatch(/^\/root\/docs\//)
        decoded = decodeURIComponent(decoded).normalize('NFKC')
      }
    }),
    { numRuns: 2000 },
  )
})
