import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable, printableExactly, withoutUnprintable } from '../../../src/lib/io/printable.js'

test.each([
  ['a line break', 'a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
  ['an operating system command', '\u001b]52;c;YQ==\u0007', '\\u001b]52;c;YQ==\\u0007'],
  ['a C1 control', '\u009b2J\u0085', '\\u009b2J\\u0085'],
  ['a bidi override', 'a\u202eb\u2066\u200f', 'a\\u202eb\\u2066\\u200f'],
  ['an invisible character', 'a\u200bb\ufeff\u00ad', 'a\\u200bb\\ufeff\\u00ad'],
  ['a letter that looks empty', 'a\u3164\u115f\uffa0\u2800\u034f', 'a\\u3164\\u115f\\uffa0\\u2800\\u034f'],
  ['a line separator', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
  ['a tag character', '\u{e0041}', '\\udb40\\udc41'],
  ['a lone surrogate', 'a\ud83d', 'a\\ud83d'],
])('%s is escaped', (_, text, expected) => {
  expect(printable(text)).toBe(expected)
})

test('at most three marks stay on a letter, also with characters between them that nobody sees', () => {
  const zalgo = `i${'\u0305'.repeat(150)}x`
  expect(withoutUnprintable(zalgo)).toBe('i\u0305\u0305\u0305x')
  expect(withoutUnprintable(`M${'\u0489\u200b'.repeat(20)}`)).toBe('M\u0489\u0489\u0489')
  expect(printable('e\u0301\u0302\u0303\u0304\u0305')).toBe('e\u0301\u0302\u0303\\u0304\\u0305')
  expect(withoutUnprintable('Größe שָׁלוֹם नमस्ते')).toBe('Größe שָׁלוֹם नमस्ते')
})

test('texts that differ are printed differently', () => {
  expect(printableExactly('rm\\u200b')).toBe('rm\\\\u200b')
  expect(printableExactly('rm\u200b')).toBe('rm\\u200b')
  const text = fc.string({ unit: fc.constantFrom('\\', 'u', '0', '2', 'b', 'n', '\n', '\u200b', '\u0305', '\u0002') })
  fc.assert(fc.property(text, text, (one, other) => (one === other) === (printableExactly(one) === printableExactly(other))))
})

test('letters, marks, emoji and backslashes stay as they are', () => {
  const text = 'Größe שלום नमस्ते 你好 🎉 C:\\tmp "x"'
  expect(printable(text)).toBe(text)
})

test('escaped JSON has the same value', () => {
  fc.assert(
    fc.property(fc.json(), fc.string({ unit: 'binary' }), (json, text) => {
      const value = { [text]: JSON.parse(json), text }
      expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
