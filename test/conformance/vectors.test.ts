import { expect, test } from 'vitest'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { verifyDpopProof } from '../../src/credentials/jose/dpop.js'
import { presentSdJwt } from '../../src/credentials/sd-jwt/issue.js'
import { verifyKeyBinding } from '../../src/credentials/sd-jwt/key-binding.js'
import { decodeStatusList, encodeStatusList, statusAt } from '../../src/credentials/sd-jwt/status-list.js'
import { verifySdJwt } from '../../src/credentials/sd-jwt/verify.js'
import { describeShared } from '../shared-material.js'

interface Compact {
  readonly id?: string
  readonly section: string
  readonly kind: string
  readonly typ: string
  readonly kb: { readonly nonce: string; readonly aud: string; readonly iat: number } | null
  readonly compact: string
  readonly processed_payload?: object
}
const TYPES = ['example+sd-jwt', 'dc+sd-jwt', 'vc+sd-jwt']
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

// RFC 9901 §8, the JWS JSON serialisations, is not implemented: cards use the compact form only.
describeShared('vectors/rfc9901', 'RFC 9901', ({ json }) => {
  const keys = json('keys.json')
  const issuer = [{ jwk: keys.issuer_public_jwk }]
  const { d: _, ...holder } = keys.holder_jwk
  const examples = (json('compact.json') as Compact[]).map((example) => [example.id ?? example.section, example] as const)

  test.each(examples)('§7.1 example %s verifies and yields the processed payload of the RFC', async (_, {
    compact,
    processed_payload: payload,
  }) => {
    const verified = await verifySdJwt(compact, issuer, { typ: TYPES })
    if (payload) expect(plain(verified.payload)).toEqual(payload)
  })
  test.each(
    examples.filter(([, { kb }]) => kb),
  )('§7.3 the key binding of example %s is accepted for its verifier, nonce and presentation only', async (_, { compact, kb }) => {
    const { keyBinding, sdHash } = await verifySdJwt(compact, issuer, { typ: TYPES })
    const expected = { audience: kb?.aud ?? '', nonce: kb?.nonce ?? '', now: kb?.iat ?? 0 }
    expect(await verifyKeyBinding(keyBinding, { jwk: holder }, sdHash, expected)).toMatchObject({ jkt: expect.any(String) })
    for (const wrong of [{ audience: 'https://other.example' }, { nonce: 'other' }, { now: (kb?.iat ?? 0) + 3600 }])
      await expect(verifyKeyBinding(keyBinding, { jwk: holder }, sdHash, { ...expected, ...wrong })).rejects.toMatchObject({
        reason: 'key_binding_required',
      })
    await expect(verifyKeyBinding(keyBinding, { jwk: holder }, digestOfText('other'), expected)).rejects.toMatchObject({
      reason: 'key_binding_required',
    })
  })
  test('§4.2.3 digestOfText computes each digest of the RFC', () => {
    const triples: { sha256: string; disclosure: string }[] = json('disclosures.json')
    expect(triples.length).toBeGreaterThan(80)
    for (const { sha256, disclosure } of triples) expect(digestOfText(disclosure)).toBe(sha256)
  })
  test.each(examples)('§7.2 presentations of example %s verify and do not contain the withheld disclosure', async (_, { compact }) => {
    const { disclosures } = await verifySdJwt(compact, issuer, { typ: TYPES })
    for (const { pointer, encoded } of disclosures) {
      const presentation = presentSdJwt(compact, (candidate) => candidate !== pointer)
      expect(presentation).not.toContain(encoded)
      await verifySdJwt(presentation, issuer, { typ: TYPES })
    }
  })
  test.each(examples)('§7.1 example %s with a changed character before the key binding is refused', async (_, { compact }) => {
    const end = compact.lastIndexOf('~')
    for (let at = 0; at < end; at += 37) {
      const other = compact[at] === 'A' ? 'B' : 'A'
      if (compact[at] === '~') continue
      await expect(
        verifySdJwt(compact.slice(0, at) + other + compact.slice(at + 1), issuer, { typ: TYPES }),
        `at ${at}`,
      ).rejects.toMatchObject({ reason: 'sd_jwt_invalid' })
    }
  })
})

describeShared('vectors/sd-jwt-vc', 'SD-JWT VC', ({ json }) => {
  test('digestOfText computes each digest of the examples', () => {
    for (const { sha256, disclosure } of json('disclosures.json')) expect(digestOfText(disclosure)).toBe(sha256)
  })
})

describeShared('vectors', 'SD-JWT VC under the key of RFC 9901', ({ json }) => {
  const key = json('rfc9901/keys.json').issuer_public_jwk
  // One example has another `kid` for the same key.
  const issuer = [{ jwk: key }, { jwk: { ...key, kid: 'doc-signer-05-25-2022' } }]
  const examples: Compact[] = json('sd-jwt-vc/compact.json')
  test.each(
    examples.map((example, i) => [`${example.section ?? i} ${example.typ ?? ''}`, example] as const),
  )('example %s verifies', async (_, { compact }) => {
    expect((await verifySdJwt(compact, issuer, { typ: TYPES })).disclosures.length).toBeGreaterThan(0)
  })
})

// The CWT forms are not implemented, because nothing else here uses CBOR.
describeShared('vectors/status-list', 'Token Status List', ({ json }) => {
  test.each([
    '1bit',
    '2bit',
    '4bit',
    '8bit',
  ])('the %s vector decodes to the statuses of the draft, and encoding them again gives the same list', async (name) => {
    const vector: { bits: 1 | 2 | 4 | 8; lst: string; size: number; set: Record<string, number> } = json(`${name}.json`)
    const { bits, bytes } = await decodeStatusList(vector)
    const set = new Map(Object.entries(vector.set).map(([index, status]) => [Number(index), status]))
    let wrong = 0
    for (let i = 0; i < vector.size; i++) if (statusAt(bits, bytes, i) !== (set.get(i) ?? 0)) wrong++
    expect(wrong).toBe(0)
    const again = await encodeStatusList(
      bits,
      Array.from({ length: vector.size }, (_, i) => set.get(i) ?? 0),
    )
    expect(Buffer.compare((await decodeStatusList(again)).bytes, bytes)).toBe(0)
  })
})

describeShared('vectors/rfc9449', 'RFC 9449', ({ json }) => {
  const proofs: { proof: string; payload: { htm: string; htu: string; iat: number; nonce?: string }; valid: boolean }[] =
    json('proofs.json')
  test.each(
    proofs.map((example, i) => [`${i} for ${example.payload.htu}`, example] as const),
  )('§4.2 proof %s is accepted if the RFC calls it valid, and refused 61 s later', async (_, { proof, payload, valid }) => {
    const expected = { htm: payload.htm, htu: payload.htu, now: payload.iat }
    const verifying = verifyDpopProof(proof, expected)
    if (valid) expect((await verifying).jkt).toHaveLength(43)
    else await expect(verifying).rejects.toMatchObject({ reason: 'invalid_dpop_proof' })
    await expect(verifyDpopProof(proof, { ...expected, now: payload.iat + 61 })).rejects.toMatchObject({ reason: 'invalid_dpop_proof' })
  })
})
