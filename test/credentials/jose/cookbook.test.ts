import { expect, test } from 'vitest'
import { findSigner, readJws } from '../../../src/credentials/jose/jws.js'
import { SIGNATURE_ALGORITHMS } from '../../../src/lib/algorithms.js'
import { describeShared } from '../../shared-material.js'

const rule = { maxBytes: 8192, algs: SIGNATURE_ALGORITHMS, typ: [undefined] }

/** What each signing example of RFC 7520, RFC 8037 and RFC 7797 is to us, and why. */
const EXAMPLES: Record<string, string> = {
  'jws/4_1.rsa_v15_signature.json': 'verifies',
  'jws/4_2.rsa-pss_signature.json': 'PS384 is not in the table',
  'jws/4_3.ecdsa_signature.json': 'ES512 is not in the table',
  'jws/4_4.hmac-sha2_integrity_protection.json': 'symmetric',
  'jws/4_5.signature_with_detached_content.json': 'symmetric, detached',
  'jws/4_6.protecting_specific_header_fields.json': 'JWS JSON serialisation: only cards use it, with a schema of their own',
  'jws/4_7.protecting_content_only.json': 'JWS JSON serialisation without a protected header',
  'jws/4_8.multiple_signatures.json': 'JWS JSON serialisation with several signatures',
  'curve25519/jws.json': 'verifies',
}

describeShared('vectors/jose-cookbook', 'JOSE cookbook', (vectors) => {
  test.each(Object.entries(EXAMPLES))('%s: %s', async (file, what) => {
    const { input, output } = vectors.json(file)
    const compact: unknown = output.compact ?? output.json_flat ?? output.json
    const jws = readJws(compact, rule)
    if (what !== 'verifies') return expect(typeof jws).toBe('string')
    if (typeof jws === 'string') return expect.unreachable(jws)
    const { kty, n, e, crv, x, kid } = input.key
    const jwk = { kty, n, e, crv, x, kid }
    expect(new TextDecoder().decode(jws.payload)).toBe(input.payload)
    expect(await findSigner(jws, [{ jwk }])).toMatchObject({ alg: input.alg })
    expect(await findSigner({ ...jws, signed: jws.signed.map((byte) => byte ^ 1) }, [{ jwk }])).toBeUndefined()
  })

  test('no example is left out', () => {
    const files = [...vectors.names('jws').map((name) => `jws/${name}`), 'curve25519/jws.json']
    expect(files.sort()).toEqual(Object.keys(EXAMPLES).sort())
  })

  test('RFC 7797 (b64 false) is refused', () => {
    for (const name of vectors.names('rfc7797')) {
      const { output } = vectors.json(`rfc7797/${name}`)
      expect(typeof readJws(output?.compact ?? output?.json_flat, rule)).toBe('string')
    }
  })
})
