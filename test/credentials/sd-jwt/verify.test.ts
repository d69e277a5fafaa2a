import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import type { Signer } from '../../../src/credentials/jose/sign.js'
import { processSdJwt, verifySdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import { base64url, utf8 } from '../../../src/lib/bytes.js'
import { reasonOf } from '../../stories/actors.js'
import { forge, newSigner } from '../forge.js'

const SALT = '_26bc4LT-ac6q2KI6cBW5es'
let signer: Signer
beforeAll(async () => {
  signer = await newSigner()
})
const disclosure = (...parts: unknown[]) => base64url(utf8(JSON.stringify(parts)))
const sdJwt = async (claims: object | string, disclosures: readonly string[] = [], header: object = { alg: 'ES256', typ: 'dc+sd-jwt' }) =>
  [await forge(header, claims, signer), ...disclosures, ''].join('~')
const verify = (text: unknown) => verifySdJwt(text, [{ jwk: signer.publicJwk }], { typ: ['dc+sd-jwt'] })

describe('RFC 9901 §7.1', () => {
  const name = (key: unknown, value: unknown = 1, salt: unknown = SALT) => disclosure(salt, key, value)
  const within = (...list: string[]) => ({ _sd: list.map(digestOfText) })
  test.each<[string, () => Promise<unknown>]>([
    ['a disclosure whose digest does not occur', () => sdJwt({ _sd: [] }, [name('role')])],
    ['a digest twice in one list', () => sdJwt({ _sd: [digestOfText(name('a')), digestOfText(name('a'))] }, [name('a')])],
    ['a digest at two levels', () => sdJwt({ ...within(name('a')), inner: within(name('a')) }, [name('a')])],
    ['a disclosure that is sent twice', () => sdJwt(within(name('a')), [name('a'), name('a')])],
    ['a disclosure that repeats a claim', () => sdJwt({ iss: 'x', ...within(name('iss', 'y')) }, [name('iss', 'y')])],
    ['two disclosures with the same name', () => sdJwt(within(name('a', 1), name('a', 2)), [name('a', 1), name('a', 2)])],
    ...['_sd', '...', '_sd_alg', '__proto__', 'constructor', 'toString', ''].map((key): [string, () => Promise<unknown>] => [
      `a disclosure with the name ${JSON.stringify(key)}`,
      () => sdJwt(within(name(key, {})), [name(key, {})]),
    ]),
    ['a disclosure with a number as name', () => sdJwt(within(name(1)), [name(1)])],
    ['a disclosure of one element', () => sdJwt(within(disclosure(SALT)), [disclosure(SALT)])],
    ['a disclosure of four elements', () => sdJwt(within(disclosure(SALT, 'a', 1, 2)), [disclosure(SALT, 'a', 1, 2)])],
    ['a disclosure that is an object', () => sdJwt(within(base64url(utf8('{}'))), [base64url(utf8('{}'))])],
    ['a salt of 64 bits', () => sdJwt(within(name('a', 1, '12345678901')), [name('a', 1, '12345678901')])],
    ['a salt that is a number', () => sdJwt(within(name('a', 1, 5)), [name('a', 1, 5)])],
    ['an array element disclosed as a member', () => sdJwt(within(disclosure(SALT, 1)), [disclosure(SALT, 1)])],
    ['a member disclosed as an array element', () => sdJwt({ list: [{ '...': digestOfText(name('a')) }] }, [name('a')])],
    ['a placeholder with other members', () => sdJwt({ list: [{ '...': digestOfText('x'), more: 1 }] })],
    ['a member `...` of an object', () => sdJwt({ inner: { '...': 'x' } })],
    ['a nested _sd_alg', () => sdJwt({ inner: { _sd_alg: 'sha-256' } })],
    ['an _sd that is not an array', () => sdJwt({ _sd: 'x' })],
    ['a digest of five characters', () => sdJwt({ _sd: ['short'] })],
    ...['sha-1', 'md5', 'none', 'SHA-256', 'sha3-256', 1].map((alg): [string, () => Promise<unknown>] => [
      `_sd_alg ${alg}`,
      () => sdJwt({ _sd_alg: alg }),
    ]),
    ['an SD-JWT without a tilde at its end', async () => (await sdJwt({})).slice(0, -1)],
    ['only tildes', async () => '~~~'],
    ['an empty disclosure', async () => `${await sdJwt({})}~`],
    [
      '513 disclosures',
      async () => {
        const many = Array.from({ length: 513 }, (_, i) => name(`n${i}`))
        return sdJwt(within(...many), many)
      },
    ],
    ['claims of 8000 levels', async () => sdJwt(`${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`)],
    ['alg none', () => sdJwt({}, [], { alg: 'none', typ: 'dc+sd-jwt' })],
    ['the typ jwt', () => sdJwt({}, [], { alg: 'ES256', typ: 'jwt' })],
    ['an embedded key', async () => sdJwt({}, [], { alg: 'ES256', typ: 'dc+sd-jwt', jwk: signer.publicJwk })],
    ['a critical extension', () => sdJwt({}, [], { alg: 'ES256', typ: 'dc+sd-jwt', crit: ['b64'], b64: false })],
    ['a number', async () => 5],
  ])('%s is refused', async (_, make) => {
    expect(await reasonOf(verify(await make()))).toBe('sd_jwt_invalid')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
  test('a signature by another key is refused', async () => {
    expect(await reasonOf(verifySdJwt(await sdJwt({}), [{ jwk: (await newSigner()).publicJwk }], { typ: ['dc+sd-jwt'] }))).toBe(
      'sd_jwt_invalid',
    )
  })
  test('processSdJwt throws only refusals, for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.array(fc.string({ maxLength: 40 }), { maxLength: 4 }), (jwt, list) => {
        try {
          processSdJwt([jwt, ...list].join('~'), { typ: ['dc+sd-jwt'] })
        } catch (error) {
          expect(error).toMatchObject({ reason: 'sd_jwt_invalid' })
        }
      }),
      { numRuns: 500 },
    )
  })
})
