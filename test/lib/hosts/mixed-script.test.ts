import { expect, test } from 'vitest'
import { isMixedScript } from '../../../src/lib/hosts/mixed-script.js'

test.each([
  ['a Cyrillic letter in a Latin label', 'p\u0430ypal.com', true],
  ['a Greek letter in a Latin label', 'g\u03bfogle.com', true],
  ['a Latin letter in a Cyrillic label', 'ban\u043a.рф', true],
  ['an unused script', '\u{10480}.com', true],
  ['Latin', 'agents.acme-1.com', false],
  ['Latin with marks', 'bücher.de', false],
  ['labels of one script each', 'почта.com', false],
  ['Japanese', '日本ひらカタ.jp', false],
  ['Korean', '한국漢字.kr', false],
  ['an IPv4 address', '8.8.8.8', false],
])('%s', (_, host, expected) => {
  expect(isMixedScript(host)).toBe(expected)
})
