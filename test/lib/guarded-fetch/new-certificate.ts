import { generateKeyPairSync, sign } from 'node:crypto'

/** A DER value: tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const octets = (content: Uint8Array): Buffer => der(0x04, content)
const pem = (label: string, content: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(content).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

interface Certified {
  readonly name: string
  readonly key: string
  readonly cert: string
}

/** A new key and a certificate for the names (RFC 5280), signed by `issuer` or by itself. So no key is kept in the repository. */
export function newCertificate(names: readonly string[], until = '21200101000000Z', issuer?: Certified): Certified {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const name = names[0] ?? 'test'
  const distinguished = (text: string) => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))))
  const subjectAltName = sequence(...names.map((one) => der(0x82, Buffer.from(one))))
  const extensions = sequence(
    sequence(oid('551d13'), der(0x01, Buffer.from([255])), octets(sequence(der(0x01, Buffer.from([255]))))),
    sequence(oid('551d11'), octets(subjectAltName)),
  )
  const toSign = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    distinguished(issuer?.name ?? name),
    sequence(der(0x18, Buffer.from('20200101000000Z')), der(0x18, Buffer.from(until))),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = sign('sha256', toSign, issuer?.key ?? privateKey)
  const certificate = sequence(toSign, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature))
  return { name, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem('CERTIFICATE', certificate) }
}
