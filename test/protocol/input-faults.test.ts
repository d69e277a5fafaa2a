import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  AgentId,
  ClientId,
  EntryId,
  IntroductionId,
  Jkt,
  MemberId,
  OrgId,
  RegisteredKeyId,
  TaskId,
  TokenId,
} from '../../src/protocol/ids.js'
import { faultsMissingIn, faultsOf, textOfIssues } from '../../src/protocol/input-faults.js'
import { KeyOwner } from '../../src/protocol/key-statement.js'

const issuesOf = (schema: z.ZodType, input: unknown) => schema.safeParse(input).error?.issues ?? []
const textOf = (schema: z.ZodType, input: unknown) => textOfIssues(issuesOf(schema, input))

test.each([
  [OrgId, 'not an organisation id (org_ + 22 characters)'],
  [MemberId, 'not a member id (mem_ + 22 characters)'],
  [AgentId, 'not an agent id (agt_ + 22 characters)'],
  [TaskId, 'not a task id (tsk_ + 22 characters)'],
  [IntroductionId, 'not an introduction id (int_ + 22 characters)'],
  [EntryId, 'not a log entry id (ent_ + 22 characters)'],
  [TokenId, 'not a token id (tok_ + 22 characters)'],
  [RegisteredKeyId, 'not a key id (key_ + 22 characters)'],
  [ClientId, 'not a client id (agt_ or mem_ + 22 characters)'],
  [KeyOwner, 'not the id of an organisation, agent or member (org_, agt_ or mem_ + 22 characters)'],
  [Jkt, 'not a key thumbprint (43 base64url characters, RFC 7638)'],
])('an invalid id is refused with the format of its kind (%#)', (schema, hint) => {
  expect(textOf(z.strictObject({ id: schema }), { id: 'x' })).toBe(`id: ${hint}`)
})

describe('hints for issues that zod words itself', () => {
  test.each([
    ['a missing member', z.object({ name: z.string() }), {}, 'name: required'],
    ['another type', z.object({ name: z.string() }), { name: 1 }, 'name: must be a string'],
    ['a fraction', z.object({ depth: z.int() }), { depth: 1.5 }, 'depth: must be a whole number'],
    ['a string that is too long', z.object({ name: z.string().max(3) }), { name: 'abcd' }, 'name: must have at most 3 characters'],
    ['a list that is too short', z.object({ scopes: z.array(z.string()).min(1) }), { scopes: [] }, 'scopes: must have at least 1 element'],
    ['a number that is too large', z.object({ limit: z.int().max(100) }), { limit: 101 }, 'limit: must be at most 100'],
    ['unknown members', z.strictObject({}), { a: 1, b: 2 }, 'unknown members a, b'],
    ['another value', z.object({ mode: z.enum(['open', 'ask']) }), { mode: 'x' }, 'mode: must be one of open, ask'],
    ['a nested member', z.object({ rights: z.array(z.object({ scope: z.string() })) }), { rights: [{}] }, 'rights.0.scope: required'],
  ])('%s', (_, schema, input, text) => {
    expect(textOf(schema, input)).toBe(text)
  })
})

test('a message that a schema gives is used as it is', () => {
  expect(textOf(z.object({ url: z.string().refine(() => false, 'must be an absolute URL') }), { url: 'x' })).toBe(
    'url: must be an absolute URL',
  )
})

test('names from the input are quoted and shortened unless they are plain', () => {
  expect(textOf(z.strictObject({}), { [`\u001b[31m${'x'.repeat(100)}`]: 1 })).toBe(`unknown member "\\u001b[31m${'x'.repeat(59)}"`)
  expect(textOf(z.strictObject({}), { 'a\u202e\u009b': 1 })).toBe('unknown member "a\\u202e\\u009b"')
})

test('a text names three faults, the detail names all of them with their JSON Pointers', () => {
  const schema = z.object({ list: z.array(z.string()) })
  const issues = issuesOf(schema, { list: [1, 2, 3, 4] })
  expect(textOfIssues(issues).split('; ')).toHaveLength(3)
  expect(faultsOf(issues)).toEqual([0, 1, 2, 3].map((i) => ({ pointer: `/list/${i}`, hint: 'must be a string' })))
})

test('faults that a text already names are not listed again', () => {
  const issues = issuesOf(z.object({ list: z.array(z.string()) }), { list: [1, 2, 3, 4] })
  expect(faultsMissingIn(textOfIssues(issues), faultsOf(issues))).toEqual([{ pointer: '/list/3', hint: 'must be a string' }])
  const other = { pointer: '/name', hint: 'required' }
  expect(faultsMissingIn('a name is required', [other])).toEqual([other])
})
