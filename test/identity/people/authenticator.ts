// An authenticator in software: it signs with ES256 and reports what a test tells it to.
import { createHash, createSign, generateKeyPairSync } from 'node:crypto'

interface Ceremony {
  readonly challenge: string
  readonly origin: string
  readonly rpId?: string
  readonly counter?: number
  /** Default: the user is present (1) and verified (4). */
  readonly flags?: number
  readonly type?: string
}

const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64url')
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest()
const bytes = (...parts: (Uint8Array | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)))

/** One credential: it makes the JSON that a browser sends (WebAuthn level 3 §5.1). */
export function newCredential(name = 'credential') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const id = sha256(`${name} ${jwk.x}`)
  const clientData = ({ challenge, origin, type }: Ceremony, expected: string) =>
    Buffer.from(JSON.stringify({ type: type ?? expected, challenge, origin, crossOrigin: false }))
  const authData = ({ origin, rpId = new URL(origin).hostname, counter = 0, flags = 5 }: Ceremony, attested = false) => {
    const count = Buffer.alloc(4)
    count.writeUInt32BE(counter)
    return bytes(sha256(rpId), [flags | (attested ? 0x40 : 0)], count)
  }
  /** COSE: kty EC2, ES256, P-256, x, y. */
  const cose = bytes(
    [0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32],
    Buffer.from(jwk.x ?? '', 'base64url'),
    [0x22, 0x58, 32],
    Buffer.from(jwk.y ?? '', 'base64url'),
  )
  return {
    create(ceremony: Ceremony): string {
      const data = bytes(authData(ceremony, true), new Uint8Array(16), [0, id.length], id, cose)
      const text = (word: string) => bytes([0x60 + word.length], Buffer.from(word))
      const attestation = bytes(
        [0xa3],
        text('fmt'),
        text('none'),
        text('attStmt'),
        [0xa0],
        text('authData'),
        [0x59, data.length >> 8, data.length & 255],
        data,
      )
      const response = { clientDataJSON: b64(clientData(ceremony, 'webauthn.create')), attestationObject: b64(attestation) }
      return JSON.stringify({ id: b64(id), rawId: b64(id), type: 'public-key', response })
    },
    get(ceremony: Ceremony, memberId: string): string {
      const [data, client] = [authData(ceremony), clientData(ceremony, 'webauthn.get')]
      const signature = createSign('sha256')
        .update(bytes(data, sha256(client)))
        .sign(privateKey)
      const response = { clientDataJSON: b64(client), authenticatorData: b64(data), signature: b64(signature), userHandle: b64(memberId) }
      return JSON.stringify({ id: b64(id), rawId: b64(id), type: 'public-key', response })
    },
  }
}
