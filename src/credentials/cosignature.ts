// Verifier keys (C2SP signed-note) and the Ed25519 cosignatures of witnesses (C2SP tlog-cosignature).
//   verifier key   <name>+<key id in hex>+<base64 of type ‖ key>
//   cosignature    8 bytes time ‖ signature over "cosignature/v1", the time, and the text of the checkpoint
import { base64url, concatBytes, fromBase64url, utf8 } from '../lib/bytes.js'
import { type ParsedKey, readPublicJwk } from './jose/jwk.js'
import type { PublicJwk } from './jose/public-jwk.js'
import type { Signer } from './jose/sign.js'
import {
  COSIGNER_KEY,
  fromBase64,
  isName,
  isSignatureOf,
  keyIdOf,
  NOTE_KEY,
  type Note,
  parseNote,
  signatureLine,
  signaturesBy,
  toBase64,
} from './signed-note.js'

/** An Ed25519 key of a log (type NOTE_KEY) or of a witness (type COSIGNER_KEY). */
export interface VerifierKey {
  readonly name: string
  readonly keyId: Uint8Array
  readonly key: ParsedKey
}

interface Cosignature {
  /** Name of the witness. */
  readonly name: string
  /** When the witness signed. */
  readonly at: number
  /** The line of the note, with its newline. */
  readonly line: string
}

/** Parses a verifier key of this type. A string says what is wrong with it. */
export function readVerifierKey(text: string, type: typeof NOTE_KEY | typeof COSIGNER_KEY): VerifierKey | string {
  const [, name = '', id = '', encoded = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/.exec(text) ?? []
  const material = fromBase64(encoded)
  if (!isName(name) || material === undefined || name.length > MAX_NAME) return 'must be a verifier key: <name>+<8 hex digits>+<base64>'
  if (material[0] !== type || material.length !== 33)
    return `must be an Ed25519 key ${type === NOTE_KEY ? 'of a log (type 1)' : 'for cosignatures (type 4)'}`
  const bytes = material.subarray(1)
  const keyId = keyIdOf(name, type, bytes)
  if (toHex(keyId) !== id) return `has the key id ${id}, but the id of this name and key is ${toHex(keyId)}: copy the whole key again`
  const key = readPublicJwk({ kty: 'OKP', crv: 'Ed25519', x: base64url(bytes) }, ['EdDSA'])
  return typeof key === 'string' ? key : { name, keyId, key }
}
const MAX_NAME = 256

/** The verifier key of an Ed25519 key, as others configure it. */
export function verifierKeyOf(name: string, jwk: PublicJwk, type: typeof NOTE_KEY | typeof COSIGNER_KEY): string {
  const bytes = ed25519Of(jwk)
  return `${name}+${toHex(keyIdOf(name, type, bytes))}+${toBase64(concatBytes(Uint8Array.of(type), bytes))}`
}

/** Cosigns the text of a checkpoint, and returns the signature line. */
export async function cosign(text: string, name: string, signer: Signer, at: number): Promise<string> {
  const signature = await signer.sign(cosignedData(text, at))
  return signatureLine(name, keyIdOf(name, COSIGNER_KEY, ed25519Of(signer.publicJwk)), concatBytes(timeBytes(at), signature))
}

/** The cosignature of a witness in a checkpoint. Undefined if the checkpoint has none, or if it is wrong. */
export async function findCosignature(note: Note | string, { name, keyId, key }: VerifierKey): Promise<Cosignature | undefined> {
  const parsed = typeof note === 'string' ? parseNote(note) : note
  const [found] = parsed ? signaturesBy(parsed, name, keyId) : []
  if (parsed === undefined || found?.signature.length !== 72) return undefined
  const at = Number(new DataView(found.signature.buffer, found.signature.byteOffset).getBigUint64(0))
  const isValid = Number.isSafeInteger(at) && (await isSignatureOf(key, found.signature.subarray(8), cosignedData(parsed.text, at)))
  return isValid ? { name, at, line: found.line } : undefined
}

const cosignedData = (text: string, at: number): Uint8Array => utf8(`cosignature/v1\ntime ${at}\n${text}`)

function timeBytes(at: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(at))
  return bytes
}

function ed25519Of(jwk: PublicJwk): Uint8Array {
  const bytes = jwk.kty === 'OKP' ? fromBase64url(jwk.x) : undefined
  if (bytes === undefined) throw new Error('not an Ed25519 key')
  return bytes
}

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
