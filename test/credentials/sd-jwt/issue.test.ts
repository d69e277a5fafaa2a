import { createHash } from 'node:crypto'
import { SDJwtInstance } from '@sd-jwt/core'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Signer } from '../../../src/credentials/jose/sign.js'
import { issueSdJwt, paddedCount, presentSdJwt } from '../../../src/credentials/sd-jwt/issue.js'
import { bindPresentation } from '../../../src/credentials/sd-jwt/key-binding.js'
import { verifySdJwt } from '../../../src/credentials/sd-jwt/verify.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import { reasonOf } from '../../stories/actors.js'
import { newSigner } from '../forge.js'

let signer: Signer
beforeAll(async () => {
  signer = await newSigner()
})
const issue = (claims: JsonObject, disclosable: readonly string[], alwaysPadded: readonly string[] = []) =>
  issueSdJwt({ typ: 'dc+sd-jwt' }, { claims, disclosable, alwaysPadded }, { signer, random: systemRandom })
const verify = (text: unknown) => verifySdJwt(text, [{ jwk: signer.publicJwk }], { typ: ['dc+sd-jwt'] })
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))
const signedPayload = async (text: string) => JSON.parse(Buffer.from((await verify(text)).jws.payload).toString())
/** The library, which the verifier of this project does not use: it reads what our wrapper has issued. */
const library = new SDJwtInstance({
  hasher: (data) =>
    createHash('sha256')
      .update(Buffer.from(data as string))
      .digest(),
  hashAlg: 'sha-256',
})

describe('issueSdJwt', () => {
  test('a container has a power of two of digests, at least 16 and more than its disclosures, even without disclosures', async () => {
    expect([0, 1, 15, 16, 17, 31, 32].map(paddedCount)).toEqual([16, 16, 16, 32, 32, 32, 64])
    const list = Array.from({ length: 20 }, (_, i) => i)
    for (const count of [0, 1, 15, 16]) {
      const pointers = list.slice(0, count).map((i) => `/list/${i}`)
      const { containers, disclosures } = await verify(await issue({ list }, pointers, ['/list']))
      expect(containers).toMatchObject([{ pointer: '/list', digestCount: paddedCount(count), disclosedCount: count }])
      expect(disclosures).toHaveLength(count)
    }
  })

  test('the position of a digest in `_sd` does not tell a disclosure from a decoy, and no salt is used twice', async () => {
    const positions = new Set<number>()
    const salts = new Set<string>()
    for (let i = 0; i < 60; i++) {
      const text = await issue({ a: 1, b: 2 }, ['/a'])
      const { disclosures } = await verify(text)
      positions.add((await signedPayload(text))._sd.indexOf(disclosures[0]?.digest))
      salts.add(disclosures[0]?.salt ?? '')
    }
    expect(salts.size).toBe(60)
    expect(positions.size).toBeGreaterThan(8)
  })

  test('the position of a placeholder in an array does not tell a disclosure from a decoy, wherever the element was', async () => {
    for (const index of [0, 2]) {
      const positions = new Set<number>()
      for (let i = 0; i < 120; i++) {
        const text = await issue({ list: ['a', 'b', 'c'] }, [`/list/${index}`])
        const { disclosures } = await verify(text)
        const { list }: { list: unknown[] } = await signedPayload(text)
        expect(list.slice(0, 2)).toEqual(['a', 'b', 'c'].filter((_, i) => i !== index))
        positions.add(list.findIndex((element) => (element as { '...'?: string })['...'] === disclosures[0]?.digest))
      }
      // The two plain elements come first; the placeholders have the positions 2 to 17.
      expect(Math.min(...positions)).toBeGreaterThanOrEqual(2)
      expect(positions.size).toBeGreaterThan(12)
    }
  })

  test('the disclosures are in random order', async () => {
    const firsts = new Set<string | undefined>()
    for (let i = 0; i < 60; i++) {
      const [, first = ''] = (await issue({ a: 1, b: 2, c: 3 }, ['/a', '/b', '/c'])).split('~')
      firsts.add(JSON.parse(Buffer.from(first, 'base64url').toString())[1])
    }
    expect([...firsts].sort()).toEqual(['a', 'b', 'c'])
  })

  test('each disclosure is reported with its pointer and its digest', async () => {
    const reported = new Map<string, string>()
    const claims = { a: { b: 1, c: 2 }, list: ['x', { d: 3 }] }
    const disclosable = ['/a', '/a/b', '/list/1', '/list/1/d']
    const input = { claims, disclosable, onDisclosure: (pointer: string, digest: string) => reported.set(digest, pointer) }
    const { disclosures } = await verify(await issueSdJwt({ typ: 'dc+sd-jwt' }, input, { signer, random: systemRandom }))
    expect(disclosures.map(({ digest, value }) => [reported.get(digest), plain(value)._sd === undefined]).sort()).toEqual([
      ['/a', false],
      ['/a/b', true],
      ['/list/1', false],
      ['/list/1/d', true],
    ])
  })

  test('the library and the verifier read the same claims, including nested ones and names that the library reserves', async () => {
    const claims = { a: { b: [1, { c: null }], 'd.e': 'f' }, _sd_decoy: 3, key: 'k', '0': false, list: [[], {}, '', ['x', 'y']] }
    const disclosable = ['/a', '/a/b/1', '/a/b/1/c', '/a/d.e', '/key', '/0', '/list/0', '/list/3/1', '/_sd_decoy']
    for (const pointers of [[], disclosable, ['/key']]) {
      const text = await issue(claims, pointers, ['', '/a'])
      const payload = plain((await verify(text)).payload)
      expect(await library.getClaims(text)).toEqual(payload)
      expect({ ...payload, list: undefined }).toEqual({ ...claims, list: undefined })
      // Plain elements come first in an array.
      const inner = (value: unknown) => JSON.stringify(value)
      expect(payload.list.map(inner).sort()).toEqual(claims.list.map(inner).sort())
    }
  })

  test.each([['/nothing'], ['/a', '/a'], [''], ['a']])('the pointers %j are refused', async (...pointers) => {
    expect(await reasonOf(issue({ a: 1 }, pointers))).toBe('sd_jwt_invalid')
  })

  test.each(['_sd', '...', '_sd_alg', 'toString', ''])('the claim name %j is refused', async (name) => {
    expect(await reasonOf(issue({ a: { [name]: 1 } }, []))).toBe('sd_jwt_invalid')
  })
})

describe('presentSdJwt', () => {
  test('a presentation contains the selected disclosures and no byte of the others', async () => {
    const tree = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,6}$/),
      fc.oneof(fc.integer(), fc.array(fc.stringMatching(/^secret-[a-z]{8}$/), { maxLength: 3 }), fc.stringMatching(/^secret-[a-z]{8}$/)),
      { minKeys: 2, maxKeys: 6 },
    )
    await fc.assert(
      fc.asyncProperty(tree, fc.infiniteStream(fc.boolean()), async (claims, coin) => {
        const disclosable = Object.keys(claims)
          .filter(() => coin.next().value)
          .map((name) => `/${name}`)
        const selected = new Set(disclosable.filter(() => coin.next().value))
        const presentation = presentSdJwt(await issue(claims as JsonObject, disclosable), (pointer) => selected.has(pointer))
        const isVisible = (name: string) => !disclosable.includes(`/${name}`) || selected.has(`/${name}`)
        const expected = Object.fromEntries(Object.entries(claims).filter(([name]) => isVisible(name)))
        expect(plain((await verify(presentation)).payload)).toEqual(expected)
        const decoded = presentation
          .split('~')
          .flatMap((part) => part.split('.'))
          .map((part) => Buffer.from(part, 'base64url').toString())
        const visible = JSON.stringify(expected)
        for (const [name, value] of Object.entries(claims))
          if (!isVisible(name) && typeof value === 'string' && !visible.includes(value))
            expect(decoded.some((text) => text.includes(value))).toBe(false)
      }),
      { numRuns: 40 },
    )
  })

  test('the library selects the same disclosures for the same parts', async () => {
    const text = await issue({ a: { b: 1, c: 2 }, d: 3, e: 4 }, ['/a', '/a/b', '/a/c', '/d', '/e'])
    const theirs = await library.present(text, { a: { b: true }, d: true })
    const parts = (presentation: string) => presentation.split('~').sort()
    expect(parts(presentSdJwt(text, ['/a', '/a/b', '/d']))).toEqual(parts(theirs))
  })

  test('a name with a dot and a nested name are two parts', async () => {
    const text = await issue({ 'a.b': 'one', a: { b: 'two' } }, ['/a.b', '/a/b'])
    expect(plain((await verify(presentSdJwt(text, ['/a.b']))).payload)).toEqual({ 'a.b': 'one', a: {} })
    expect(plain((await verify(presentSdJwt(text, ['/a/b']))).payload)).toEqual({ a: { b: 'two' } })
  })

  test('a disclosure inside a withheld one is withheld', async () => {
    const text = await issue({ a: { b: 1 } }, ['/a', '/a/b'])
    expect((await verify(presentSdJwt(text, ['/a/b']))).disclosures).toEqual([])
    expect((await verify(presentSdJwt(text, ['/a', '/a/b']))).disclosures).toHaveLength(2)
  })

  test('a key binding covers its own presentation only', async () => {
    const holder = await newSigner()
    const complete = await issue({ a: 1, b: 2 }, ['/a', '/b'])
    const bound = await bindPresentation(presentSdJwt(complete, ['/a']), { audience: 'v', nonce: 'n', now: 1000 }, holder)
    const { sdHash, keyBinding } = await verify(bound)
    const other = await verify(`${presentSdJwt(complete, ['/a', '/b'])}${keyBinding}`)
    expect(other.sdHash).not.toBe(sdHash)
  })
})
