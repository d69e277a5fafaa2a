import { expect, test } from 'vitest'
import { hasInvisible, withoutInvisible } from '../../../src/lib/words/invisible.js'
import { languageOf, stemOf } from '../../../src/lib/words/languages.js'
import { conceptsOf, indexedWords, wholeOf } from '../../../src/lib/words/terms.js'
import { wordsOf } from '../../../src/lib/words/words.js'
import { cpuMsOf } from '../../awake-time.js'

const textsOf = (text: string) => wordsOf(text).map((word) => word.text)

test.each([
  ['read_passport', ['read', 'passport'], ['readpassport']],
  ['node.js', ['node', 'js'], ['nodejs']],
  ['WeatherBot', ['weather', 'bot'], ['weatherbot']],
  ['JSONParser', ['json', 'parser'], ['jsonparser']],
  ['DarkWeb-Checker', ['dark', 'web', 'checker'], ['darkweb', 'darkwebchecker']],
  ['PDFs', ['pdfs'], []],
  ['C++', ['c++'], []],
  ['l’agent', ['l', 'agent'], []],
  ['read/write', ['read', 'write'], []],
])('%s has the words %j, which are parts of %j', (text, words, wholes) => {
  expect(textsOf(text)).toEqual(words)
  expect([...new Set(wordsOf(text).flatMap((word) => word.wholes))].sort()).toEqual([...wholes].sort())
})

test('scripts without spaces give pairs of characters, also beside other scripts', () => {
  expect(textsOf('請求書OCR')).toEqual(['請求', '求書', 'ocr'])
  expect(textsOf('茶')).toEqual(['茶'])
  expect(textsOf('แปล ไทย')).toEqual(['แป', 'ปล', 'ไท', 'ทย'])
  expect(textsOf('ﾃｽﾄ')).toEqual(['テス', 'スト'])
})

test('a text of any characters is split without an error, and no word is longer than 64 characters', () => {
  for (const text of ['\ud800\udc00\ud800', '\0', 'x'.repeat(10_000), '𝔘'.repeat(200), `${'a.'.repeat(5000)}b`, '(a+)+$', '\u{e0041}'])
    for (const { text: word, wholes } of wordsOf(text)) for (const one of [word, ...wholes]) expect(one.length).toBeLessThanOrEqual(64)
})

test('no text has more than 4096 words, and none takes long', () => {
  const characters = (count: number) => Array.from({ length: count }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('')
  const numbered = Array.from({ length: 10_000 }, (_, i) => `z${i.toString(36)}`)
  const texts = [`${'é-'.repeat(3000)}x`, 'ab.'.repeat(20_000), '\ufdfa'.repeat(20_000), 'aB'.repeat(30_000), characters(20_000)]
  for (const text of [...texts, '履歴'.repeat(10_000), numbered.join('_'), numbered.join(' ')]) {
    expect(cpuMsOf(() => expect(indexedWords(text, 'en', true).length).toBeLessThanOrEqual(3 * 4096))).toBeLessThan(1000)
    expect(wordsOf(text).length).toBeLessThanOrEqual(4096)
  }
})

test('invisible characters are dropped; emoji and joiners that scripts need are not reported', () => {
  expect(withoutInvisible('a\u200bb\u202ec\u{e0041}d\u00ade')).toBe('abcde')
  for (const text of ['a\u200bb', '\u202egnp', '\u{e0041}', 'a\u2066b', '\ufeffa']) expect(hasInvisible(text)).toBe(true)
  for (const text of ['plain', '👩\u200d💻', '❤\ufe0f', 'می\u200cخواهم', 'हिन्दी']) expect(hasInvisible(text)).toBe(false)
})

test.each([
  ['en', 'the invoices are read by an agent', 'invoices', 'invoice'],
  ['de', 'die Rechnungen werden von dem Agenten gelesen', 'rechnungen', 'rechnung'],
  ['fr', 'les traductions sont faites par un agent', 'traductions', 'traduction'],
  ['es', 'las facturas de una empresa', 'facturas', 'factura'],
  ['ru', 'мы переводим документы на английский', 'документы', 'документов'],
] as const)('%s: the language is recognised, and forms of a word have one stem', (language, text, form, other) => {
  expect(languageOf(textsOf(text))).toBe(language)
  expect(stemOf(language, form)).toBe(stemOf(language, other))
})

test('words that name members of objects are words', () => {
  for (const word of ['constructor', '__proto__']) {
    expect(conceptsOf(word, 20).map((concept) => concept.word)).toEqual(textsOf(word))
    expect(indexedWords(word, 'en', true).length).toBeGreaterThan(0)
  }
})

test('the concepts of a sentence are its informative words; a text of stop words alone keeps them', () => {
  const words = (text: string) => conceptsOf(text, 20).map(({ word }) => word)
  expect(words('I need someone to translate the 3 invoices of a German supplier')).toEqual(['translate', 'invoices', 'german', 'supplier'])
  expect(words('契約書を翻訳してください')).toEqual(expect.arrayContaining(['契約', '約書', '翻訳']))
  expect(words('契約書を翻訳してください')).not.toContain('して')
  expect(words('who is it')).toEqual(['who', 'is', 'it'])
  expect(conceptsOf('a b c d e f g h', 3)).toHaveLength(3)
})

test('words that mean the same share a group, and a word of another language has the group of its translation', () => {
  const groups = (text: string) => conceptsOf(text, 1)[0]?.terms.flatMap(({ term }) => (term.startsWith('#') ? [term] : []))
  for (const word of ['translate', 'localisation', 'Übersetzung', 'traducir', 'перевод', '翻訳', '번역'])
    expect(groups(word)).toEqual(['#translate'])
  for (const word of ['zebra', 'agent', 'the', 'custom']) expect(groups(word)?.includes('#customer')).toBe(false)
})

test('a name is compared as a whole, without regard to case, width and separators', () => {
  expect(wholeOf('Weather-Bot  Pro')).toBe(wholeOf('weather bot pro'))
  expect(wholeOf('ＯＣＲ')).toBe('ocr')
})
