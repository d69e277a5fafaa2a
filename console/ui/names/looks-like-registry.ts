import { withoutUnprintable } from '../../../src/lib/io/printable.js'

/** What the console itself writes in place of a name. */
const WORDS: ReadonlySet<string> = new Set(['you', 'this registry', 'credence', 'none', '–'])
/** The beginning of an id, such as `agt_`. */
const ID = /\b[a-z]{3}_/

/** True if a name that somebody chose could be taken for a text of the registry: an id, an address, or a word of the console. */
export function looksLikeRegistry(name: string, issuer: string): boolean {
  const plain = withoutUnprintable(name).normalize('NFKC').replaceAll(/\s+/g, ' ').trim().toLowerCase()
  return plain === '' || WORDS.has(plain) || ID.test(plain) || plain.includes(issuer.toLowerCase())
}
