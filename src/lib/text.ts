/** Replaces lone surrogates, which have no UTF-8 and no canonical JSON (RFC 8785 §3.2.2.2). */
export const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '\ufffd')

/** At most the first `max` UTF-16 units of the text, without lone surrogates: a pair is not cut, and one that is lone already is replaced. */
export const shortened = (text: string, max: number): string =>
  wellFormed(text.length <= max ? text : text.slice(0, max).replace(/[\uD800-\uDBFF]$/, ''))

/** A text as one word of a POSIX shell command. Texts of others, such as scopes, may have characters that mean something to a shell. */
export const shellWord = (text: string): string => (/^[\w:./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
