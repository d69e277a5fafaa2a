// Signed notes (c2sp.org/signed-note), the form of the log's checkpoints. A note is a text, an empty line, and one line for each signature:
//   — <name> <base64 of 4 bytes key id ‖ signature>
// The key id of an Ed25519 key is derived with type 0x01. ES256 has no type of its own, so it uses 0xff with a label, as the specification allows.
// Cost: one signature check for each signature line under the expected name, at most MAX_SIGNATURES. Limit: MAX_NOTE_BYTES.
import { sha256, verifySignature } from '#crypto'
import { base64url, concatBytes, decodeUtf8, equalBytes, fromBase64url, utf8 } from '../lib/bytes.js'
import { Handle } from '../protocol/handles.js'
import type { Jkt } from '../protocol/ids.js'
import { type ParsedKey, readPublicJwk, thumbprint, type VerificationKey } from './jose/jwk.js'
import { loadKey } from './jose/load-key.js'
import type { PublicJwk } from './jose/public-jwk.js'
import type { Signer } from './jose/sign.js'

/** The state of a log: the first `size` entries of its epoch have this Merkle root. */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  /** base64url. */
  readonly root: string
  readonly epoch: Handle
}

/** Name of a log in its checkpoints: the issuer without the scheme. */
export const logOrigin = (issuer: string): string => issuer.replace(/^https?:\/\//, '')

const MAX_NOTE_BYTES = 8192
const MAX_SIGNATURES = 16

const toBase64 = (bytes: Uint8Array): string => {
  const text = base64url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text + '='.repeat((4 - (text.length % 4)) % 4)
}
/** Canonical padded base64, or undefined. */
const fromBase64 = (text: string): Uint8Array | undefined => {
  const bytes = /[-_]/.test(text)
    ? undefined
    : fromBase64url(
        text
          .replace(/={1,2}$/, '')
          .replaceAll('+', '-')
          .replaceAll('/', '_'),
      )
  return bytes !== undefined && toBase64(bytes) === text ? bytes : undefined
}

const checkpointText = ({ origin, size, root, epoch }: Checkpoint): string => {
  const hash = fromBase64url(root)
  if (hash === undefined) throw new Error('the root of the checkpoint is not base64url')
  return `${origin}\n${size}\n${toBase64(hash)}\nepoch ${epoch}\n`
}

export function parseCheckpointText(text: string): Checkpoint | undefined {
  const [origin, size, root, epoch, rest, ...more] = text.split('\n')
  const hash = root === undefined ? undefined : fromBase64(root)
  const handle = Handle.safeParse(epoch?.replace(/^epoch /, ''))
  if (!origin || size === undefined || !/^(0|[1-9]\d{0,14})$/.test(size) || hash?.length !== 32) return undefined
  if (!epoch?.startsWith('epoch ') || !handle.success || rest !== '' || more.length > 0) return undefined
  return { origin, size: Number(size), root: base64url(hash), epoch: handle.data }
}

/** Signs `text`, which ends in a newline, as a note under `name`. */
async function signNote(text: string, name: string, signer: Signer): Promise<string> {
  if (!text.endsWith('\n') || !isName(name))
    throw new Error(`cannot sign the note: it must end in a newline, and the name ${JSON.stringify(name)} must have no space or plus sign`)
  const signature = await signer.sign(utf8(text))
  return `${text}\n— ${name} ${toBase64(concatBytes(keyId(name, signer.publicJwk), signature))}\n`
}

/**
 * Returns the text of the note and the key that signed it, if one of `keys` signed it under `name`; otherwise undefined. Ignores signatures
 * under other names.
 */
async function verifyNote(
  note: unknown,
  name: string,
  keys: readonly VerificationKey[],
): Promise<{ readonly text: string; readonly jkt: Jkt } | undefined> {
  if (typeof note !== 'string' || note.length > MAX_NOTE_BYTES || decodeUtf8(utf8(note)) !== note) return undefined
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n')) return undefined
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES || lines.some((line) => !/^— [^ +]+ [A-Za-z0-9+/=]+$/.test(line))) return undefined
  const parsed = keys
    .map(({ jwk, alg }) => readPublicJwk(jwk, alg === undefined ? ['ES256', 'EdDSA'] : [alg]))
    .filter((key) => typeof key !== 'string')
  for (const line of lines) {
    const [, signedBy, encoded = ''] = line.split(' ')
    const bytes = signedBy === name ? fromBase64(encoded) : undefined
    const key = bytes === undefined ? undefined : parsed.find(({ jwk }) => equalBytes(keyId(name, jwk), bytes.subarray(0, 4)))
    if (bytes !== undefined && key !== undefined && (await isSignatureOf(key, bytes.subarray(4), text))) return { text, jkt: key.jkt }
  }
  return undefined
}

export const signCheckpoint = (checkpoint: Checkpoint, signer: Signer): Promise<string> =>
  signNote(checkpointText(checkpoint), checkpoint.origin, signer)

/** Returns the checkpoint and the key that signed it, if one of `keys` signed it for the log `origin`; otherwise undefined. */
export async function verifyCheckpoint(
  note: unknown,
  origin: string,
  keys: readonly VerificationKey[],
): Promise<(Checkpoint & { readonly jkt: Jkt }) | undefined> {
  const verified = await verifyNote(note, origin, keys)
  const checkpoint = verified && parseCheckpointText(verified.text)
  return checkpoint?.origin === origin && verified ? { ...checkpoint, jkt: verified.jkt } : undefined
}

async function isSignatureOf(key: ParsedKey, signature: Uint8Array, text: string): Promise<boolean> {
  const imported = await loadKey(key)
  return imported !== undefined && (await verifySignature(key.alg, imported, signature, utf8(text)))
}

const isName = (name: string): boolean => /^[^\s+]+$/.test(name)

function keyId(name: string, jwk: PublicJwk): Uint8Array {
  const ed25519 = jwk.kty === 'OKP' ? fromBase64url(jwk.x) : undefined
  const kind =
    ed25519 === undefined
      ? concatBytes(Uint8Array.of(0xff), utf8(`credence-${jwk.kty}\n${thumbprint(jwk)}`))
      : concatBytes(Uint8Array.of(0x01), ed25519)
  return sha256(concatBytes(utf8(name), Uint8Array.of(0x0a), kind)).subarray(0, 4)
}
