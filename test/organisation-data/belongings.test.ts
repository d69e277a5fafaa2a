import { expect, test } from 'vitest'
import { registryCollections } from '../../src/holdings/registry-collections.js'
import { RULES } from '../../src/organisation-data/belongings.js'

test('of every collection it is said whose its documents are', () => {
  expect(registryCollections().filter(({ name }) => RULES[name] === undefined)).toEqual([])
})
