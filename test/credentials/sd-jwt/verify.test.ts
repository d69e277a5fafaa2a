import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import type { Signer } from '../../../src/credentials/jose/sign.js'
import { issueSdJwt, paddedCount, presentSdJwt } from '../../../src/credentials/sd-jwt/issue.js'
import { bindPresentation } from '../../../src/credentials/sd-jwt/key-binding.js'
import { processSdJwt, verifySdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import { base64url, utf8 } from '../../../src/lib/bytes.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
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

describe('what is refused (RFC 9901 §7.1)', () => {
  const name = (key: unknown, value: unknown = 1, salt: unknown = SALT) => disclosure(salt, key, value)
  const within = (...list: string[]) => ({ _sd: list.map(digestOfText) })
  test.each<[string, () => Promise<unknown>]>([
    ['a disclosure whose digest stands nowhere', () => sdJwt({ _sd: [] }, [name('role')])],
    ['a digest that stands twice in one list', () => sdJwt({ _sd: [digestOfText(name('a')), digestOfText(name('a'))] }, [name('a')])],
    ['a digest that stands at two levels', () => sdJwt({ ...within(name('a')), inner: within(name('a')) }, [name('a')])],
    ['a disclosure that is sent twice', () => sdJwt(within(name('a')), [name('a'), name('a')])],
    ['a disclosure that shadows a claim', () => sdJwt({ iss: 'x', ...within(name('iss', 'y')) }, [name('iss', 'y')])],
    ['two disclosures of one name', () => sdJwt(within(name('a', 1), name('a', 2)), [name('a', 1), name('a', 2)])],
    ...['_sd', '...', '_sd_alg', '__proto__', 'constructor', 'toString', ''].map((key): [string, () => Promise<unknown>] => [
      `the name ${JSON.stringify(key)}`,
      () => sdJwt(within(name(key, {})), [name(key, {})]),
    ]),
    ['a numeric name', () => sdJwt(within(name(1)), [name(1)])],
    ['one element', () => sdJwt(within(disclosure(SALT)), [disclosure(SALT)])],
    ['four elements', () => sdJwt(within(disclosure(SALT, 'a', 1, 2)), [disclosure(SALT, 'a', 1, 2)])],
    ['an object as disclosure', () => sdJwt(within(base64url(utf8('{}'))), [base64url(utf8('{}'))])],
    ['a salt of 64 bits', () => sdJwt(within(name('a', 1, '12345678901')), [name('a', 1, '12345678901')])],
    ['a salt that is a number', () => sdJwt(within(name('a', 1, 5)), [name('a', 1, 5)])],
    ['an array element disclosed as a member', () => sdJwt(within(disclosure(SALT, 1)), [disclosure(SALT, 1)])],
    ['a member disclosed as an array element', () => sdJwt({ list: [{ '...': digestOfText(name('a')) }] }, [name('a')])],
    ['a placeholder with other members', () => sdJwt({ list: [{ '...': digestOfText('x'), more: 1 }] })],
    ['a `...` outside of an array', () => sdJwt({ inner: { '...': 'x' } })],
    ['a nested _sd_alg', () => sdJwt({ inner: { _sd_alg: 'sha-256' } })],
    ['an _sd that is no list', () => sdJwt({ _sd: 'x' })],
    ['a digest that is no digest', () => sdJwt({ _sd: ['short'] })],
    ...['sha-1', 'md5', 'none', 'SHA-256', 'sha3-256', 1].map((alg): [string, () => Promise<unknown>] => [
      `_sd_alg ${alg}`,
      () => sdJwt({ _sd_alg: alg }),
    ]),
    ['no tilde at the end', async () => (await sdJwt({})).slice(0, -1)],
    ['nothing but tildes', async () => '~~~'],
    ['an empty disclosure', async () => `${await sdJwt({})}~`],
    [
      '513 disclosures',
      async () => {
        const many = Array.from({ length: 513 }, (_, i) => name(`n${i}`))
        return sdJwt(within(...many), many)
      },
    ],
    ['8000 levels', async () => sdJwt(`${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`)],
    ['alg none', () => sdJwt({}, [], { alg: 'none', typ: 'dc+sd-jwt' })],
    ['another type', () => sdJwt({}, [], { alg: 'ES256', typ: 'jwt' })],
    ['an embedded key', async () => sdJwt({}, [], { alg: 'ES256', typ: 'dc+sd-jwt', jwk: signer.publicJwk })],
    ['a critical extension', () => sdJwt({}, [], { alg: 'ES256', typ: 'dc+sd-jwt', crit: ['b64'], b64: false })],
    ['a number', async () => 5],
  ])('%s', async (_, make) => {
    expect(await reasonOf(verify(await make()))).toBe('sd_jwt_invalid')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
  test('another issuer’s signature', async () => {
    expect(await reasonOf(verifySdJwt(await sdJwt({}), [{ jwk: (await newSigner()).publicJwk }], { typ: ['dc+sd-jwt'] }))).toBe(
      'sd_jwt_invalid',
    )
  })
  test('no text makes it throw anything but a refusal', () => {
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

describe('issuing', () => {
  const issue = (claims: JsonObject, hide: string[], hideable: string[] = []) =>
    issueSdJwt({ typ: 'dc+sd-jwt' }, { claims, hide, hideable }, { signer, random: systemRandom })

  test('each container is padded to a power of two, at least 16 and more than what is hidden; also one that hides nothing', async () => {
    expect([0, 1, 15, 16, 17, 31, 32].map(paddedCount)).toEqual([16, 16, 16, 32, 32, 32, 64])
    for (const hidden of [0, 1, 15, 16]) {
      const list = Array.from({ length: 20 }, (_, i) => i)
      const text = await issue(
        { list },
        list.slice(0, hidden).map((i) => `/list/${i}`),
        ['/list'],
      )
      const { containers, disclosures } = await verify(text)
      expect(containers).toMatchObject([{ pointer: '/list', digests: paddedCount(hidden), disclosed: hidden }])
      expect(disclosures).toHaveLength(hidden)
    }
  })
  test('neither order nor count tells which digest is a decoy: every salt is used once and every position occurs', async () => {
    const places = new Set<number>()
    const salts = new Set<string>()
    for (let i = 0; i < 60; i++) {
      const { disclosures, jws } = await verify(await issue({ a: 1, b: 2 }, ['/a']))
      const payload = JSON.parse(Buffer.from(jws.payload).toString())
      places.add(payload._sd.indexOf(disclosures[0]?.digest))
      salts.add(disclosures[0]?.salt ?? '')
    }
    expect(salts.size).toBe(60)
    expect(places.size).toBeGreaterThan(8)
  })
  test.each([['/nothing'], ['/a', '/a'], [''], ['a']])('the pointers %j are refused', async (...hide) => {
    expect(await reasonOf(issue({ a: 1 }, hide))).toBe('sd_jwt_invalid')
  })
  test('a presentation reveals nothing that it does not disclose, and discloses just what was kept', async () => {
    const tree = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,6}$/),
      fc.oneof(fc.integer(), fc.array(fc.stringMatching(/^secret-[a-z]{8}$/), { maxLength: 3 }), fc.stringMatching(/^secret-[a-z]{8}$/)),
      { minKeys: 2, maxKeys: 6 },
    )
    await fc.assert(
      fc.asyncProperty(tree, fc.infiniteStream(fc.boolean()), async (claims, coin) => {
        const names = Object.keys(claims)
        const hide = names.filter(() => coin.next().value).map((name) => `/${name}`)
        const keep = new Set(hide.filter(() => coin.next().value))
        const shown = presentSdJwt(await issue(claims as JsonObject, hide), (pointer) => keep.has(pointer))
        const { payload } = await verify(shown)
        const expected = Object.fromEntries(Object.entries(claims).filter(([name]) => !hide.includes(`/${name}`) || keep.has(`/${name}`)))
        expect(JSON.parse(JSON.stringify(payload))).toEqual(expected)
        const everything = shown
          .split('~')
          .flatMap((part) => part.split('.'))
          .map((part) => Buffer.from(part, 'base64url').toString())
        const withheld = hide
          .filter((pointer) => !keep.has(pointer))
          .map((pointer) => claims[pointer.slice(1)])
          .filter((value) => typeof value === 'string')
        const visible = JSON.stringify(expected)
        for (const secret of withheld)
          if (!visible.includes(String(secret))) expect(everything.some((text) => text.includes(String(secret)))).toBe(false)
      }),
      { numRuns: 40 },
    )
  })
  test('a key binding is over just this presentation', async () => {
    const holder = await newSigner()
    const whole = await issue({ a: 1, b: 2 }, ['/a', '/b'])
    const bound = await bindPresentation(presentSdJwt(whole, ['/a']), { audience: 'v', nonce: 'n', now: 1000 }, holder)
    const { sdHash, keyBinding } = await verify(bound)
    const other = await verify(`${presentSdJwt(whole, ['/a', '/b'])}${keyBinding}`)
    expect(other.sdHash).not.toBe(sdHash)
  })
})
