const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** Decodes UTF-8; undefined if the bytes are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const VALUE = new Int8Array(128).fill(-1)
for (let i = 0; i < 64; i++) VALUE[ALPHABET.charCodeAt(i)] = i

/** The six bits that a character code stands for in base64url; −1 for any other character. */
export const base64urlValue = (code: number): number => VALUE[code] ?? -1
/** The character code of the lowest six bits. */
export const base64urlCode = (value: number): number => ALPHABET.charCodeAt(value & 63)

/** Node's own encoder is many times faster than the loop below; browsers lack it. */
const native = globalThis.Buffer as typeof globalThis.Buffer | undefined

export function base64url(bytes: Uint8Array): string {
  if (native !== undefined) return native.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
  let text = ''
  let i = 0
  for (; i + 2 < bytes.length; i += 3) {
    const n = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += ALPHABET.charAt(n >> 18) + ALPHABET.charAt((n >> 12) & 63) + ALPHABET.charAt((n >> 6) & 63) + ALPHABET.charAt(n & 63)
  }
  if (i + 1 === bytes.length) {
    const n = bytes[i] ?? 0
    text += ALPHABET.charAt(n >> 2) + ALPHABET.charAt((n & 3) << 4)
  } else if (i + 2 === bytes.length) {
    const n = ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
    text += ALPHABET.charAt(n >> 10) + ALPHABET.charAt((n >> 4) & 63) + ALPHABET.charAt((n & 15) << 2)
  }
  return text
}

/** Decodes canonical base64url without padding (RFC 7515 §2). Returns undefined for any other text, so each value has exactly one spelling. */
export function fromBase64url(text: string): Uint8Array | undefined {
  if (native !== undefined && text.length > MIN_NATIVE_LENGTH) {
    // The native decoder also accepts non-canonical texts, so the result is encoded again and compared
    const bytes = native.from(text, 'base64url')
    return bytes.toString('base64url') === text ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : undefined
  }
  const rest = text.length % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let bits = 0
  let bitCount = 0
  let offset = 0
  for (let i = 0; i < text.length; i++) {
    const value = base64urlValue(text.charCodeAt(i))
    if (value < 0) return undefined
    bits = ((bits << 6) | value) & 0xffff
    bitCount += 6
    if (bitCount >= 8) {
      bitCount -= 8
      bytes[offset++] = (bits >> bitCount) & 255
    }
  }
  return (bits & ((1 << bitCount) - 1)) === 0 ? bytes : undefined
}

/** For texts of at most this many characters, the loop is faster than a call to the native decoder. */
const MIN_NATIVE_LENGTH = 48

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

/** Compares in constant time: the position of the first difference has no influence on the duration. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/** Constant-time comparison of MACs and hashes that are stored as text. */
export const equalTexts = (a: string, b: string): boolean => equalBytes(utf8(a), utf8(b))
