import { expect, test } from 'vitest'
import { applyChange, type StoredFields, validate } from '../../src/storage/document.js'
import { THINGS } from './contract/things.js'

/** A document of a newer release: with a longer value, a field of another type and an unknown field. */
const NEWER: StoredFields = {
  id: 'one',
  group: 'a',
  state: 'a state that is longer than this release allows',
  by: 'text',
  shape: { sides: 3 },
}
const change = (to: object): unknown => validate(THINGS, applyChange(THINGS, NEWER, to), NEWER).doc

test('a change keeps values that this release does not accept in other fields', () => {
  expect(change({ name: 'n' })).toEqual({ ...NEWER, name: 'n' })
  expect(change({ state: 'old', by: ['p'] })).toEqual({ ...NEWER, state: 'old', by: ['p'] })
  expect(change({ by: undefined })).toEqual({ id: 'one', group: 'a', state: NEWER.state, shape: { sides: 3 } })
})

test.each([
  ['another value that is too long', { state: 'another state that is longer than this release allows' }],
  ['another value of the wrong type', { by: 'another' }],
  ['the removal of a required field', { group: undefined }],
  ['a value that is not plain JSON', { shape: new Date(0) }],
  ['a field named like an operator', { $set: 1 }],
])('a change is refused: %s', (_title, to) => {
  expect(() => change(to)).toThrow()
})

test('a new document is checked completely, but may have unknown fields', () => {
  expect(() => validate(THINGS, NEWER)).toThrow('does not match its schema')
  expect(validate(THINGS, { id: 'one', group: 'a', shape: 1 }).doc).toEqual({ id: 'one', group: 'a', shape: 1 })
})
