import { expect, test } from 'vitest'
import { shortened } from '../../src/lib/text.js'

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'abc'],
  ['ab😀', 4, 'ab😀'],
  ['ab😀', 3, 'ab'],
  ['😀😀', 2, '😀'],
  ['a\ud83d', 2, 'a\ufffd'],
  ['\ude00\ud83d!', 3, '\ufffd\ufffd!'],
])('%j cut to %i is %j', (text, max, expected) => {
  expect(shortened(text, max)).toBe(expected)
})
