import { expect, test } from 'vitest'
import { Audience, OrgId } from '../../src/protocol/ids.js'
import { type CeilingAudience, coversRight, intersectRights, Scope, scopesFor } from '../../src/protocol/rights.js'

const ISSUER = 'https://registry.example'
const org = (letter: string) => OrgId.parse(`org_${letter.repeat(22)}`)
const agent = (letter: string) => Audience.parse(`${ISSUER}/agents/agt_${letter.repeat(22)}`)
/** The agent `a` belongs to organisation `A`, and so on. There is no agent `z`. */
const orgOf = (audience: string) => {
  const letter = /agt_([a-y])/.exec(audience)?.[1]
  return letter === undefined ? undefined : org(letter.toUpperCase())
}
const any = { anyAgent: true } as const
const of = (letter: string) => ({ organisation: org(letter) })
const right = (audience: CeilingAudience, scope = 'ocr') => ({ audience, scope: Scope.parse(scope) })

const cases: readonly (readonly [string, CeilingAudience, CeilingAudience, boolean])[] = [
  ['an agent covers itself', agent('a'), agent('a'), true],
  ['an agent does not cover another', agent('a'), agent('b'), false],
  ['an agent does not cover its organisation', agent('a'), of('A'), false],
  ['any agent covers an agent', any, agent('a'), true],
  ['any agent covers the agents of an organisation', any, of('A'), true],
  ['any agent covers any agent', any, any, true],
  ['any agent does not cover the registry', any, Audience.parse(ISSUER), false],
  ['any agent does not cover an unknown agent', any, agent('z'), false],
  ['any agent does not cover an address elsewhere', any, Audience.parse('https://api.example'), false],
  ['an organisation covers its agent', of('A'), agent('a'), true],
  ['an organisation does not cover the agent of another', of('A'), agent('b'), false],
  ['an organisation does not cover any agent', of('A'), any, false],
  ['an organisation covers itself', of('A'), of('A'), true],
  ['an organisation does not cover another', of('A'), of('B'), false],
  ['an organisation does not cover an unknown agent', of('A'), agent('z'), false],
]
test.each(cases)('%s', (_, wide, narrow, covered) => {
  expect(coversRight([right(wide)], right(narrow), orgOf)).toBe(covered)
  expect(coversRight([right(wide)], right(narrow, 'ocr/page'), orgOf)).toBe(covered)
  for (const scope of ['ocr2', 'read']) expect(coversRight([right(wide)], right(narrow, scope), orgOf)).toBe(false)
})

test('a pattern covers no audience whose organisation is not known', () => {
  for (const pattern of [any, of('A')]) {
    expect(coversRight([right(pattern)], right(agent('a')))).toBe(false)
    expect(scopesFor([right(pattern)], agent('a'))).toEqual([])
  }
})

test('the scopes for an audience come from all rights that cover it', () => {
  const rights = [right(agent('a'), 'x'), right(any, 'y'), right(of('A'), 'z'), right(of('B'), 'no'), right(agent('b'), 'no')]
  expect(scopesFor(rights, agent('a'), orgOf)).toEqual(['x', 'y', 'z'])
})

test('the intersection of two lists of rights holds the narrower right of each pair', () => {
  const parent = [right(any, 'read'), right(of('A'), 'ocr')]
  const child = [right(of('B'), 'read/page'), right(agent('a'), 'ocr/scan'), right(agent('b'), 'ocr'), right(any, 'ocr')]
  expect(intersectRights(child, parent, orgOf)).toEqual([right(of('B'), 'read/page'), right(agent('a'), 'ocr/scan'), right(of('A'), 'ocr')])
})
