import { expect, test } from 'vitest'
import { changed, type Fields, fitting } from '../../src/storage/document.js'
import { THINGS } from './contract/things.js'

/** As a newer build wrote it: a value, a member and a kind of value that this one does not know. */
const NEWER: Fields = { id: 'one', group: 'a', state: 'a state that has no room in this build', by: 'nobody', shape: { of: 'it' } }
const change = (to: object): unknown => fitting(THINGS, changed(THINGS, NEWER, to), NEWER).doc

test('what this build does not know stays where something else is changed', () => {
  expect(change({ name: 'n' })).toEqual({ ...NEWER, name: 'n' })
  expect(change({ state: 'old', by: ['p'] })).toEqual({ ...NEWER, state: 'old', by: ['p'] })
  expect(change({ by: undefined })).toEqual({ id: 'one', group: 'a', state: NEWER.state, shape: { of: 'it' } })
})

test.each([
  ['a value that it does not know either', { state: 'another state that has no room in this build' }],
  ['another kind of value', { by: 'somebody' }],
  ['nothing where something must be', { group: undefined }],
  ['what is not plain JSON', { shape: new Date(0) }],
  ['an operator', { $set: 1 }],
])('what this build itself writes is judged: %s', (_title, to) => {
  expect(() => change(to)).toThrow()
})

test('nothing stood before a new document', () => {
  expect(() => fitting(THINGS, NEWER)).toThrow('misfits')
  expect(fitting(THINGS, { id: 'one', group: 'a', shape: 1 }).doc).toEqual({ id: 'one', group: 'a', shape: 1 })
})
