// Finds host names that mix writing systems, such as `pаypal.com` with a Cyrillic `а` (UTS 39 §5.1). Each label is checked for itself. A label
// may use Han together with the syllabaries of Japanese, Korean or Chinese, as UTS 39 §5.2 allows.

/** Scripts in recommended use (UAX 31, table 5). A label in any other script counts as mixed. */
const SCRIPTS = [
  ...['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Georgian', 'Hebrew', 'Arabic', 'Thaana', 'Ethiopic', 'Devanagari', 'Bengali', 'Gurmukhi'],
  ...['Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Thai', 'Lao', 'Tibetan', 'Myanmar', 'Khmer'],
].map((script) => [script])
const COMBINATIONS = [
  ['Han', 'Hiragana', 'Katakana'],
  ['Han', 'Hangul'],
  ['Han', 'Bopomofo'],
]

const LABELS = [...SCRIPTS, ...COMBINATIONS].map(
  (scripts) => new RegExp(`^[${[...scripts, 'Common', 'Inherited'].map((script) => `\\p{scx=${script}}`).join('')}]*$`, 'u'),
)

/** True if a label of the host name mixes scripts. `host` is in Unicode, not in Punycode. */
export const isMixedScript = (host: string): boolean => host.split('.').some((label) => !LABELS.some((script) => script.test(label)))
