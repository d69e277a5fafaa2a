import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { SIGNATURE_ALGORITHMS } from '../../src/lib/algorithms.js'
import { utf8 } from '../../src/lib/bytes.js'
import * as ofNode from '../../src/lib/crypto/crypto-node.js'
import * as ofWeb from '../../src/lib/crypto/crypto-web.js'

const data = utf8('signed text')

describe.each(SIGNATURE_ALGORITHMS)('%s', (alg) => {
  test('signatures of node:crypto and of WebCrypto verify with each other', async () => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const jwk = await exportJWK(publicKey)
    const [nodeKey, webKey] = [await ofNode.importPublicKey(jwk, alg), await ofWeb.importPublicKey(jwk, alg)]
    for (const sign of [ofNode.signData, ofWeb.signData]) {
      const signature = await sign(alg, privateKey, data)
      expect(await ofNode.verifySignature(alg, nodeKey, signature, data)).toBe(true)
      expect(await ofWeb.verifySignature(alg, webKey, signature, data)).toBe(true)
      expect(await ofNode.verifySignature(alg, nodeKey, signature, utf8('another text'))).toBe(false)
      expect(await ofWeb.verifySignature(alg, webKey, signature, utf8('another text'))).toBe(false)
    }
  })
})

test('a point that is not on its curve is refused by both', async () => {
  const { publicKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const moved = { ...jwk, y: jwk.x ?? '' }
  await expect(ofNode.importPublicKey(moved, 'ES256')).rejects.toThrow()
  await expect(ofWeb.importPublicKey(moved, 'ES256')).rejects.toThrow()
})

test.each([
  '',
  'text',
  '\0prefix',
  'é 日本 😀',
  'a lone surrogate \ud800',
  'x'.repeat(100_000),
])('both digest a text as its UTF-8 form: %j', (text) => {
  const expected = ofNode.sha256(utf8(text))
  expect(Buffer.from(ofNode.sha256(text))).toEqual(Buffer.from(expected))
  expect(Buffer.from(ofWeb.sha256(text))).toEqual(Buffer.from(expected))
})
