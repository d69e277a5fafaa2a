import { expect, test } from 'vitest'
import { registryCollections } from '../../../src/operations/collections.js'
import { RULES } from '../../../src/operations/tenant-data/owned-documents.js'

test('of every collection it is said whose its documents are', () => {
  expect(registryCollections().filter(({ name }) => RULES[name] === undefined)).toEqual([])
})
