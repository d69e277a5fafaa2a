import { expect, test } from 'vitest'
import { findSigner, readJws } from '../../../src/credentials/jose/jws.js'
import { SIGNATURE_ALGORITHMS } from '../../../src/lib/algorithms.js'
import { base64url } from '../../../src/lib/bytes.js'
import { describeShared } from '../../shared-material.js'

const rule = { maxBytes: 8192, algs: SIGNATURE_ALGORITHMS, typ: [undefined] }

/** The signing examples of RFC 7520, RFC 8037 and RFC 7797: `verifies`, or the reason of the refusal. */
const EXAMPLES: Record<string, string> = {
  'jws/4_1.rsa_v15_signature.json': 'verifies',
  'jws/4_2.rsa-pss_signature.json': 'is refused: PS384 is not supported',
  'jws/4_3.ecdsa_signature.json': 'is refused: ES512 is not supported',
  'jws/4_4.hmac-sha2_integrity_protection.json': 'is refused: symmetric algorithm',
  'jws/4_5.signature_with_detached_content.json': 'is refused: symmetric algorithm, detached content',
  'jws/4_6.protecting_specific_header_fields.json': 'is refused: JSON serialisation, which only cards use',
  'jws/4_7.protecting_content_only.json': 'is refused: JSON serialisation without a protected header',
  'jws/4_8.multiple_signatures.json': 'is refused: JSON serialisation with several signatures',
  'curve25519/jws.json': 'verifies',
}

describeShared('vectors/jose-cookbook', 'JOSE cookbook', (vectors) => {
  test.each(Object.entries(EXAMPLES))('%s %s', async (file, outcome) => {
    const { input, output } = vectors.json(file)
    const compact: unknown = output.compact ?? output.json_flat ?? output.json
    const jws = readJws(compact, rule)
    if (outcome !== 'verifies') return expect(typeof jws).toBe('string')
    if (typeof jws === 'string') return expect.unreachable(jws)
    const { kty, n, e, crv, x, kid } = input.key
    const jwk = { kty, n, e, crv, x, kid }
    expect(new TextDecoder().decode(jws.payload)).toBe(input.payload)
    expect(await findSigner(jws, [{ jwk }])).toMatchObject({ alg: input.alg })
    const changed = { ...jws.encoded, payload: base64url(jws.payload.map((byte) => byte ^ 1)) }
    expect(await findSigner({ ...jws, encoded: changed }, [{ jwk }])).toBeUndefined()
  })

  test('the table lists all examples', () => {
    const files = [...vectors.names('jws').map((name) => `jws/${name}`), 'curve25519/jws.json']
    expect(files.sort()).toEqual(Object.keys(EXAMPLES).sort())
  })

  test('the example of RFC 7797 (b64 false) is refused', () => {
    for (const name of vectors.names('rfc7797')) {
      const { output } = vectors.json(`rfc7797/${name}`)
      expect(typeof readJws(output?.compact ?? output?.json_flat, rule)).toBe('string')
    }
  })
})
