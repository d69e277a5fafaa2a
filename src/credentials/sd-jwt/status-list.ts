// Token Status List (draft-ietf-oauth-status-list): each status has 1, 2, 4 or 8 bits, the first status of a byte is in its lowest bits, and
// the bytes are compressed with zlib and encoded as base64url.
// Cost: linear in the number of statuses. Limit: a list longer than MAX_STATUS_BYTES is refused while it is inflated.
import { refuse } from '../../errors.js'
import { base64url, concatBytes, fromBase64url } from '../../lib/bytes.js'

type StatusBits = 1 | 2 | 4 | 8

interface EncodedStatusList {
  readonly bits: StatusBits
  readonly lst: string
}

const MAX_STATUS_BYTES = 4_194_304

function packStatuses(bits: StatusBits, statuses: ArrayLike<number>): Uint8Array {
  const perByte = 8 / bits
  const bytes = new Uint8Array(Math.ceil(statuses.length / perByte))
  for (let i = 0; i < statuses.length; i++) {
    const status = statuses[i] ?? 0
    if (!Number.isInteger(status) || status < 0 || status >= 2 ** bits)
      throw new Error(`the status ${status} does not fit into ${bits} bits`)
    const index = Math.floor(i / perByte)
    bytes[index] = (bytes[index] ?? 0) | (status << ((i % perByte) * bits))
  }
  return bytes
}

/** The status at `index`, or undefined beyond the end of the list. */
export function statusAt(bits: StatusBits, bytes: Uint8Array, index: number): number | undefined {
  const perByte = 8 / bits
  const byte = Number.isSafeInteger(index) && index >= 0 ? bytes[Math.floor(index / perByte)] : undefined
  return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & (2 ** bits - 1)
}

export async function encodeStatusList(bits: StatusBits, statuses: ArrayLike<number>): Promise<EncodedStatusList> {
  const deflated = await transform(packStatuses(bits, statuses), new CompressionStream('deflate'), Number.POSITIVE_INFINITY)
  return { bits, lst: base64url(deflated) }
}

/** Decodes a list, or refuses it (`bad_input`) if it is malformed or inflates to more than `maxBytes`. */
export async function decodeStatusList(
  list: { readonly bits: unknown; readonly lst: unknown },
  maxBytes = MAX_STATUS_BYTES,
): Promise<{ readonly bits: StatusBits; readonly bytes: Uint8Array }> {
  const { bits, lst } = list
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) return refuse('bad_input', 'invalid status list: `bits` is not 1, 2, 4 or 8')
  const deflated = typeof lst === 'string' && lst.length <= maxBytes * 2 ? fromBase64url(lst) : undefined
  if (deflated === undefined) return refuse('bad_input', 'invalid status list: `lst` is not canonical base64url of the allowed size')
  try {
    return { bits, bytes: await transform(deflated, new DecompressionStream('deflate'), maxBytes) }
  } catch {
    // Each platform throws a different error for bytes that are not a zlib stream.
    return refuse('bad_input', `invalid status list: \`lst\` is not a zlib stream of at most ${maxBytes} bytes`)
  }
}

async function transform(bytes: Uint8Array, by: CompressionStream | DecompressionStream, maxBytes: number): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(by)
  const parts: Uint8Array[] = []
  let size = 0
  const reader = stream.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.length
    if (size > maxBytes) {
      await reader.cancel()
      throw new Error(`more than ${maxBytes} bytes`)
    }
    parts.push(read.value)
  }
  return concatBytes(...parts)
}
