// The body of `add-checkpoint` (C2SP tlog-witness): the size of the tree that the witness has cosigned last, the proof that the checkpoint extends
// that tree, an empty line, and the checkpoint.
import { fromBase64, toBase64 } from '../../credentials/signed-note.js'
import { fromBase64url } from '../../lib/bytes.js'

export interface AddCheckpoint {
  readonly oldSize: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
}

/** The type of a response with status 409. Its body is the size of the tree that the witness has cosigned last. */
export const SIZE_TYPE = 'text/x.tlog.size'
const MAX_PROOF_LINES = 63

/** `proof` holds base64url hashes. */
export const addCheckpointBody = (oldSize: number, proof: readonly string[], note: string): string =>
  [`old ${oldSize}`, ...proof.map((hash) => toBase64(fromBase64url(hash) ?? new Uint8Array())), '', note].join('\n')

/** Undefined if the body has another form. The checkpoint itself is not parsed. */
export function parseAddCheckpoint(body: string): AddCheckpoint | undefined {
  const end = body.indexOf('\n\n')
  const [first = '', ...lines] = end < 0 ? [] : body.slice(0, end).split('\n')
  const oldSize = parseSize(first.startsWith('old ') ? first.slice(4) : '')
  const proof = lines.map((line) => fromBase64(line)).filter((hash) => hash?.length === 32)
  if (oldSize === undefined || lines.length > MAX_PROOF_LINES || proof.length !== lines.length) return undefined
  return { oldSize, proof: proof.filter((hash) => hash !== undefined), note: body.slice(end + 2) }
}

/** A tree size in decimal without leading zeroes. */
export const parseSize = (text: string): number | undefined => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined)
