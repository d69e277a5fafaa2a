// Signed notes (C2SP signed-note), the form of the log's checkpoints. A note is a text, an empty line, and one line for each signature:
//   — <name> <base64 of 4 bytes key id ‖ signature>
// The key id of an Ed25519 key is derived with type 0x01. ES256 has no type of its own, so it uses 0xff with a label, as the specification allows.
// Cost: one signature check for each signature line of a known key, at most MAX_SIGNATURES. Limit: MAX_NOTE_BYTES.
import { sha256, verifySignature } from '#crypto'
import { base64url, concatBytes, decodeUtf8, equalBytes, fromBase64url, utf8 } from '../lib/bytes.js'
import { type ParsedKey, readPublicJwk, thumbprint, type VerificationKey } from './jose/jwk.js'
import { loadKey } from './jose/load-key.js'
import type { PublicJwk } from './jose/public-jwk.js'
import type { Signer } from './jose/sign.js'

const MAX_NOTE_BYTES = 65_536
const MAX_SIGNATURES = 16

/** Types of Ed25519 keys in key ids and verifier keys: a key that signs notes, and one that cosigns checkpoints. */
export const NOTE_KEY = 0x01
export const COSIGNER_KEY = 0x04

export interface Note {
  /** Ends in a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}
export interface NoteSignature {
  readonly name: string
  readonly keyId: Uint8Array
  readonly signature: Uint8Array
  /** The line of the note, with its newline. */
  readonly line: string
}

export const toBase64 = (bytes: Uint8Array): string => {
  const text = base64url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text + '='.repeat((4 - (text.length % 4)) % 4)
}
/** Canonical padded base64, or undefined. */
export const fromBase64 = (text: string): Uint8Array | undefined => {
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

/** A name is not empty and has neither spaces nor plus signs. */
export const isName = (name: string): boolean => /^[^\s+]+$/.test(name)

/** The id of a key of `name`: the first bytes of a hash over the name, the type of the key and the key. */
export const keyIdOf = (name: string, type: number, key: Uint8Array): Uint8Array =>
  sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(type), key)).subarray(0, 4)

export const signatureLine = (name: string, keyId: Uint8Array, signature: Uint8Array): string =>
  `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`

/** Parses a note. Its text means nothing before a signature of a known key was verified. Undefined if it has not the form of a note. */
export function parseNote(note: unknown): Note | undefined {
  if (typeof note !== 'string' || note.length > MAX_NOTE_BYTES || decodeUtf8(utf8(note)) !== note) return undefined
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n') || hasControlCharacter(note)) return undefined
  const signatures = note
    .slice(end + 2, -1)
    .split('\n')
    .map(parseSignatureLine)
  const isValid = signatures.length <= MAX_SIGNATURES && signatures.every((signature) => signature !== undefined)
  return isValid ? { text: note.slice(0, end + 1), signatures } : undefined
}

function parseSignatureLine(line: string): NoteSignature | undefined {
  const [, name = '', encoded = ''] = /^— ([^ +]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? []
  const bytes = isName(name) ? fromBase64(encoded) : undefined
  if (bytes === undefined || bytes.length < 5) return undefined
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4), line: `${line}\n` }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a note has no control characters but newlines
const hasControlCharacter = (text: string): boolean => /[\x00-\x09\x0b-\x1f]/.test(text)

/** The signatures of the note by the key with this name and id. */
export const signaturesBy = ({ signatures }: Note, name: string, keyId: Uint8Array): readonly NoteSignature[] =>
  signatures.filter((signature) => signature.name === name && equalBytes(signature.keyId, keyId))

/** Signs `text`, which ends in a newline, as a note under `name`, once with each signer. */
export async function signNote(text: string, name: string, signers: readonly Signer[]): Promise<string> {
  if (!text.endsWith('\n') || !isName(name))
    throw new Error(`cannot sign the note: it must end in a newline, and the name ${JSON.stringify(name)} must have no space or plus sign`)
  const lines = await Promise.all(
    signers.map(async (signer) => signatureLine(name, keyId(name, signer.publicJwk), await signer.sign(utf8(text)))),
  )
  return `${text}\n${lines.join('')}`
}

/** The first of `keys` that signed the note under `name`. Undefined if none did, or if a signature under the id of one of them is wrong. */
export async function signerOf(note: Note, name: string, keys: readonly VerificationKey[]): Promise<ParsedKey | undefined> {
  let signer: ParsedKey | undefined
  for (const { jwk, alg } of keys) {
    const key = readPublicJwk(jwk, alg === undefined ? ['ES256', 'EdDSA'] : [alg])
    if (typeof key === 'string') continue
    for (const { signature } of signaturesBy(note, name, keyId(name, key.jwk))) {
      if (!(await isSignatureOf(key, signature, utf8(note.text)))) return undefined
      signer ??= key
    }
  }
  return signer
}

export async function isSignatureOf(key: ParsedKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> {
  const imported = await loadKey(key)
  return imported !== undefined && (await verifySignature(key.alg, imported, signature, data))
}

function keyId(name: string, jwk: PublicJwk): Uint8Array {
  const ed25519 = jwk.kty === 'OKP' ? fromBase64url(jwk.x) : undefined
  return ed25519 === undefined ? keyIdOf(name, 0xff, utf8(`credence-${jwk.kty}\n${thumbprint(jwk)}`)) : keyIdOf(name, NOTE_KEY, ed25519)
}
