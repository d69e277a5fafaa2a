import { expect, test } from 'vitest'
import { newProfile, type ProfiledToken, withTokens } from '../../../src/delegation/uses/profile.js'
import { hasUsedBefore, riskOf } from '../../../src/delegation/uses/risk.js'
import { AgentProfile } from '../../../src/delegation/uses/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { Audience, Jkt, newId } from '../../../src/protocol/ids.js'

const DAY = 86_400
const NOW = 1_800_000_000
const AUDIENCE = Audience.parse('https://api.example')
const OTHER = Audience.parse('https://other.example')
const [KEY, OTHER_KEY] = ['k', 'j'].map((letter) => Jkt.parse(letter.repeat(43))) as [Jkt, Jkt]
const [TASK, OTHER_TASK] = [newId(systemRandom, 'tsk'), newId(systemRandom, 'tsk')]

const aToken = (changes: Partial<ProfiledToken> = {}): ProfiledToken => ({
  audience: AUDIENCE,
  scope: 'read',
  taskId: TASK,
  actors: [],
  jkt: KEY,
  issuedAt: NOW,
  ...changes,
})
const profileOf = (tokens: readonly ProfiledToken[]): AgentProfile =>
  tokens.reduce((profile, token) => withTokens(profile, token, 1), newProfile(newId(systemRandom, 'agt'), newId(systemRandom, 'org')))
/** Tokens of ten days, `perHour` in one hour of each. */
const steady = (perHour = 6, changes: Partial<ProfiledToken> = {}): ProfiledToken[] =>
  Array.from({ length: 10 * perHour }, (_, i) =>
    aToken({ ...changes, issuedAt: NOW - 11 * DAY + Math.floor(i / perHour) * DAY + (i % perHour) }),
  )
const codesOf = (profile: AgentProfile, token: ProfiledToken) => riskOf(profile, token).parts.map(({ code }) => code)

test('below 50 uses within 90 days the risk is unknown', () => {
  const unknown = { level: 'unknown', score: null, parts: [] }
  expect(riskOf(undefined, aToken())).toEqual(unknown)
  expect(riskOf(profileOf(steady().slice(0, 49)), aToken())).toEqual(unknown)
  expect(riskOf(profileOf(steady()), aToken({ issuedAt: NOW + 100 * DAY }))).toEqual(unknown)
  expect(riskOf(profileOf(steady().slice(0, 50)), aToken())).toEqual({ level: 'low', score: 0, parts: [] })
})

test.each([
  ['an audience that is new', { audience: OTHER }, ['new_audience', 'new_scope'], 40, 'medium'],
  ['a scope that is new at the audience', { scope: 'read write' }, ['new_scope'], 15, 'low'],
  ['a longer chain than ever', { actors: ['a'] }, ['deeper'], 15, 'low'],
  ['a key that is new', { jkt: OTHER_KEY }, ['new_key'], 10, 'low'],
  [
    'everything at once',
    { audience: OTHER, actors: ['a'], jkt: OTHER_KEY },
    ['new_audience', 'new_scope', 'deeper', 'new_key'],
    65,
    'high',
  ],
] as const)('%s adds its weight', (_, changes, codes, score, level) => {
  const risk = riskOf(profileOf(steady()), aToken(changes))
  expect(risk).toMatchObject({ score, level })
  expect(risk.parts.map(({ code }) => code)).toEqual(codes)
})

test('a token is judged by what came before it, also after it was counted', () => {
  const token = aToken({ audience: OTHER })
  const profile = profileOf([...steady(), token])
  expect(codesOf(profile, token)).toEqual(['new_audience', 'new_scope'])
  expect(codesOf(profile, aToken({ audience: OTHER, issuedAt: NOW + 1 }))).toEqual([])
})

test('a key is new for 24 hours', () => {
  const profile = profileOf([...steady(), aToken({ jkt: OTHER_KEY })])
  expect(codesOf(profile, aToken({ jkt: OTHER_KEY, issuedAt: NOW + DAY - 1 }))).toEqual(['new_key'])
  expect(codesOf(profile, aToken({ jkt: OTHER_KEY, issuedAt: NOW + DAY }))).toEqual([])
})

test('more than three times the 95th percentile of the hours, and more than ten, is a high rate', () => {
  const burst = (count: number) => Array.from({ length: count }, (_, i) => aToken({ issuedAt: NOW - count + i }))
  expect(codesOf(profileOf([...steady(6), ...burst(18)]), aToken())).toEqual([])
  expect(codesOf(profileOf([...steady(6), ...burst(19)]), aToken())).toEqual(['rate'])
  // An hour with few tokens: only more than ten are unusual
  const quiet = Array.from({ length: 60 }, (_, i) => aToken({ issuedAt: NOW - 80 * DAY + i * DAY }))
  expect(codesOf(profileOf([...quiet, ...burst(10)]), aToken())).toEqual([])
  expect(codesOf(profileOf([...quiet, ...burst(11)]), aToken())).toEqual(['rate'])
})

test('what was last used more than 90 days ago is new again', () => {
  const old = aToken({ audience: OTHER, issuedAt: NOW - 91 * DAY })
  expect(codesOf(profileOf([old, ...steady()]), aToken({ audience: OTHER }))).toEqual(['new_audience', 'new_scope'])
})

test('a right was used before only under another task, at the same audience, with a tool that was allowed', () => {
  const scopes = ['read']
  const profile = profileOf(steady(6, { taskId: OTHER_TASK, tools: ['grep'], scope: 'read' }))
  expect(hasUsedBefore(profile, aToken(), { scopes })).toBe(true)
  expect(hasUsedBefore(profile, aToken(), { scopes, tool: 'grep' })).toBe(true)
  expect(hasUsedBefore(profile, aToken(), { scopes: ['read/one'], tool: 'grep/x' })).toBe(true)
  expect(hasUsedBefore(profile, aToken(), { scopes, tool: 'rm' })).toBe(false)
  expect(hasUsedBefore(profile, aToken(), { scopes: ['read', 'write'] })).toBe(false)
  expect(hasUsedBefore(profile, aToken({ audience: OTHER }), { scopes })).toBe(false)
  expect(hasUsedBefore(profile, aToken({ taskId: OTHER_TASK }), { scopes })).toBe(false)
  expect(hasUsedBefore(profile, aToken({ issuedAt: NOW - 11 * DAY }), { scopes })).toBe(false)
})

test('the profile of an agent that uses everything stays within its schema', () => {
  const many = Array.from({ length: 3000 }, (_, i) =>
    aToken({
      audience: Audience.parse(`https://api${i % 700}.example`),
      jkt: Jkt.parse(String(i % 100).padStart(43, 'k')),
      tools: [`tool-${i}`],
      actors: Array.from({ length: i % 9 }, () => 'x'),
      issuedAt: NOW + i * 3600,
    }),
  )
  expect(AgentProfile.parse(profileOf(many)).rights).toHaveLength(500)
})
