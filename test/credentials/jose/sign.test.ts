import { expect, test } from 'vitest'
import { newEs256Signer, signJwt } from '../../../src/credentials/jose/sign.js'

test('a signer gets what it signs in a buffer of its own, which holds nothing else', async () => {
  const { publicJwk } = await newEs256Signer()
  const given: Uint8Array[] = []
  const sign = async (data: Uint8Array) => {
    given.push(data)
    return new Uint8Array(64)
  }
  const jwt = await signJwt({ typ: 'x' }, { a: 1 }, { alg: 'ES256', publicJwk, sign })
  expect(given.map(({ buffer }) => Buffer.from(buffer).toString())).toEqual([jwt.slice(0, jwt.lastIndexOf('.'))])
})
