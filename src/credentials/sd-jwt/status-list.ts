// Token Status List (draft-ietf-oauth-status-list): statuses of 1, 2, 4 or 8 bits, lowest bits of a byte first, zlib, base64url.
import { refuse } from '../../errors.js'
import { base64url, concatBytes, fromBase64url } from '../../lib/bytes.js'

export type StatusBits = 1 | 2 | 4 | 8

export interface EncodedStatusList {
  readonly bits: StatusBits
  readonly lst: string
}

/** A list inflates to at most this: an answer that claims more is refused before it is held. */
export const MAX_STATUS_BYTES = 4_194_304

/** The statuses as bytes, `bits` each. */
export function packStatuses(bits: StatusBits, statuses: ArrayLike<number>): Uint8Array {
  const perByte = 8 / bits
  const bytes = new Uint8Array(Math.ceil(statuses.length / perByte))
  for (let i = 0; i < statuses.length; i++) {
    const status = statuses[i] ?? 0
    if (!Number.isInteger(status) || status < 0 || status >= 2 ** bits) throw new Error(`a status that does not fit ${bits} bits`)
    const at = Math.floor(i / perByte)
    bytes[at] = (bytes[at] ?? 0) | (status << ((i % perByte) * bits))
  }
  return bytes
}

/** The status at `index`; undefined beyond the end. */
export function statusAt(bits: StatusBits, bytes: Uint8Array, index: number): number | undefined {
  const perByte = 8 / bits
  const byte = Number.isSafeInteger(index) && index >= 0 ? bytes[Math.floor(index / perByte)] : undefined
  return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & (2 ** bits - 1)
}

export async function encodeStatusList(bits: StatusBits, statuses: ArrayLike<number>): Promise<EncodedStatusList> {
  const deflated = await piped(packStatuses(bits, statuses), new CompressionStream('deflate'), Number.POSITIVE_INFINITY)
  return { bits, lst: base64url(deflated) }
}

/** The bytes of a list, or a refusal; never more than MAX_STATUS_BYTES of them. */
export async function decodeStatusList(
  list: { readonly bits: unknown; readonly lst: unknown },
  maxBytes = MAX_STATUS_BYTES,
): Promise<{ readonly bits: StatusBits; readonly bytes: Uint8Array }> {
  const { bits, lst } = list
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8)
    return refuse('bad_input', 'the status list is refused: `bits` is none of 1, 2, 4, 8')
  const deflated = typeof lst === 'string' && lst.length <= maxBytes * 2 ? fromBase64url(lst) : undefined
  if (deflated === undefined) return refuse('bad_input', 'the status list is refused: `lst` is not canonical base64url')
  try {
    return { bits, bytes: await piped(deflated, new DecompressionStream('deflate'), maxBytes) }
  } catch {
    // The streams throw what the platform likes for bytes that are not zlib's.
    return refuse('bad_input', 'the status list is refused: `lst` is not a zlib stream of the allowed size')
  }
}

async function piped(bytes: Uint8Array, through: CompressionStream | DecompressionStream, maxBytes: number): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(through)
  const parts: Uint8Array[] = []
  let size = 0
  const reader = stream.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.length
    if (size > maxBytes) {
      await reader.cancel()
      throw new Error('too large')
    }
    parts.push(read.value)
  }
  return concatBytes(...parts)
}
