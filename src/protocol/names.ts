// Names of tools and resources, and scopes, are compared by prefix: `docs` covers `docs/a`. A server that uses such a name may normalise it
// first. To such a server `docs/../secrets` means `secrets`, which `docs` must not cover. So a name that any normalisation could move to
// another place is not plain: it is refused where it enters, and no other name covers it.

/** Control, format (among them all bidirectional controls) and surrogate characters, and line and paragraph separators. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
/** The scheme and the two slashes of a URL, which are no empty segment. */
const URL_START = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//
/** A name that is still percent-encoded after this many decodings is not plain. */
const MAX_DECODINGS = 4

/**
 * True if the name has no empty, `.` or `..` segment and no invisible character, in any encoding: percent-encoded (also repeatedly),
 * with backslashes, or in compatibility forms such as full-width dots.
 */
export function isPlainName(name: string): boolean {
  let text = name
  for (let decodings = 0; ; decodings++) {
    if (INVISIBLE.test(text) || !text.replace(URL_START, '').split(/[/\\]/).every(isPlainSegment)) return false
    const decoded = decode(text)
    if (decoded === text) return true
    if (decoded === undefined || decodings === MAX_DECODINGS) return false
    text = decoded
  }
}

/** Servers cut a segment at `;`, `?` or `#`, and some trim it: `..;x` and `.. ` are `..` to them. */
function isPlainSegment(segment: string): boolean {
  const [start = ''] = segment.split(/[;?#]/)
  return !['', '.', '..'].includes(start.trim())
}

/** Decodes once. Undefined if percent-encoded bytes are not UTF-8, such as the overlong `%c0%ae`. A `%` that encodes nothing stays. */
function decode(text: string): string | undefined {
  try {
    return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, decodeURIComponent).normalize('NFKC')
  } catch {
    return undefined
  }
}
