import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { digestOfText } from '../../credentials/jose/digest.js'
import { base64url, fromBase64url, utf8 } from '../../lib/bytes.js'
import type { Random } from '../../lib/random.js'
import { FamilyId } from '../../protocol/ids.js'

/** The text of an authorization code or a refresh token. Its family is found by the id. */
export interface Secret {
  readonly familyId: FamilyId
  readonly text: string
  readonly digest: string
}

const SECRET_BYTES = 32
const SECRET = /^(fam_[A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}$/

export const newSecret = (random: Random, familyId: FamilyId): Secret => secretOf(familyId, `${familyId}.${random.token(SECRET_BYTES)}`)

export function parseSecret(text: string): Secret | undefined {
  const id = FamilyId.safeParse(SECRET.exec(text)?.[1])
  return id.success ? secretOf(id.data, text) : undefined
}

const secretOf = (familyId: FamilyId, text: string): Secret => ({ familyId, text, digest: digestOfText(text) })

const ALGORITHM = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16

/** The key follows from the text of a secret, of which the store has only the digest. So a stolen store opens nothing. */
const keyOf = ({ text, familyId }: Secret) =>
  new Uint8Array(hkdfSync('sha256', utf8(text), utf8(familyId), utf8('credence repeated refresh'), 32))

/** Encrypts the next secret for the holder of the one that was used. */
export function seal(used: Secret, next: Secret, random: Random): string {
  const iv = fromBase64url(random.token(IV_BYTES)) ?? new Uint8Array()
  const cipher = createCipheriv(ALGORITHM, keyOf(used), iv)
  return base64url(Buffer.concat([iv, cipher.update(next.text, 'utf8'), cipher.final(), cipher.getAuthTag()]))
}

export function unseal(used: Secret, sealed: string): Secret | undefined {
  const bytes = fromBase64url(sealed) ?? new Uint8Array()
  const decipher = createDecipheriv(ALGORITHM, keyOf(used), bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  return parseSecret(Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8'))
}
