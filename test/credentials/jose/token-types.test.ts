import fc from 'fast-check'
import * as jose from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { parsePublicJwk, thumbprint } from '../../../src/credentials/jose/jwk.js'
import { loadKey } from '../../../src/credentials/jose/load-key.js'
import { assertClient, newPrivateJwk, proveKey, type Signer, signerFromJwk, signJwt } from '../../../src/credentials/jose/sign.js'
import {
  readClientAssertion,
  verifyAccessToken,
  verifyCardView,
  verifyKeyProof,
  verifyReleasePolicy,
} from '../../../src/credentials/jose/token-types.js'
import { verifyKeyBinding } from '../../../src/credentials/sd-jwt/key-binding.js'
import { isRefusal } from '../../../src/errors.js'
import { base64url, fromBase64url } from '../../../src/lib/bytes.js'
import { verifySignature } from '../../../src/lib/crypto/crypto-node.js'
import { setClock } from '../../set-clock.js'
import { describeShared } from '../../shared-material.js'
import { countingRandom, forge, newSigner } from '../forge.js'
import { verifyClientAssertion } from '../verify-client-assertion.js'

const clock = setClock()
const now = clock.now()
const ISSUER = 'https://registry.example'
const CLIENT = `agt_${'a'.repeat(22)}`
const id = (kind: string) => `${kind}_${'b'.repeat(22)}`
const sha = 's'.repeat(43)

let signer: Signer
let other: Signer
beforeAll(async () => {
  signer = await newSigner()
  other = await newSigner()
})
const keyOf = ({ publicJwk, alg }: Signer) => ({ jwk: publicJwk, alg })

/** All kinds of JWT: a valid header, valid claims, and the function that verifies them. */
const kinds = {
  'client assertion': {
    reason: 'invalid_client',
    header: () => ({ typ: 'client-authentication+jwt', kid: thumbprint(signer.publicJwk), alg: 'ES256' }),
    claims: { iss: CLIENT, sub: CLIENT, aud: ISSUER, iat: now, exp: now + 60, jti: 'unique-jti' },
    verify: (token: unknown) => verifyClientAssertion(token, { clientId: CLIENT, keys: [keyOf(signer)], issuer: ISSUER, now }),
    required: ['iss', 'sub', 'aud', 'exp', 'jti'],
  },
  'access token': {
    reason: 'invalid_token',
    header: () => ({ typ: 'at+jwt', kid: thumbprint(signer.publicJwk), alg: 'ES256' }),
    claims: {
      iss: ISSUER,
      sub: CLIENT,
      aud: `${ISSUER}/agents/x`,
      client_id: CLIENT,
      iat: now,
      exp: now + 300,
      jti: id('tok'),
      scope: 'read',
      cnf: { jkt: sha },
      organization_id: id('org'),
      client_type: 'agent',
      standing: { at: 3, dependsOn: [`agt:${'a'.repeat(22)}`] },
    },
    verify: (token: unknown) => verifyAccessToken(token, () => [keyOf(signer)], { issuer: ISSUER, now, audience: `${ISSUER}/agents/x` }),
    required: ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'scope', 'client_type', 'standing'],
  },
  'key proof': {
    reason: 'key_invalid',
    header: () => ({ typ: 'credence-key-proof+jwt', alg: 'ES256' }),
    claims: { aud: ISSUER, iat: now, exp: now + 120, jti: 'unique-jti', owner: CLIENT },
    verify: (token: unknown) => verifyKeyProof(token, { key: keyOf(signer), issuer: ISSUER, owner: CLIENT, now }),
    required: ['aud', 'iat', 'exp', 'jti', 'owner'],
  },
  'release policy': {
    reason: 'release_policy_invalid',
    header: () => ({ typ: 'credence-release+jwt', alg: 'ES256' }),
    claims: {
      iss: 'https://p.example',
      sub: 'urn:a',
      iat: now,
      number: 1,
      card_sha256: sha,
      default: 'introduced',
      tiers: { '/skills/3': 'authenticated' },
    },
    verify: (token: unknown) =>
      verifyReleasePolicy(token, () => [keyOf(signer)], { issuers: ['https://p.example'], subject: 'urn:a', cardSha256: sha, now }),
    required: ['iss', 'sub', 'iat', 'number', 'card_sha256', 'default', 'tiers'],
  },
  'card view': {
    reason: 'card_signature_invalid',
    header: () => ({ typ: 'card-view+jwt', alg: 'ES256' }),
    claims: {
      iss: ISSUER,
      aud: CLIENT,
      iat: now,
      exp: now + 300,
      sd_hash: sha,
      tier: 'introduced',
      card_id: CLIENT,
      card_version: 1,
      card_sha256: sha,
      facts_sha256: sha,
      standing: { at: 0, dependsOn: [] },
    },
    verify: (token: unknown) => verifyCardView(token, () => [keyOf(signer)], { issuer: ISSUER, audience: CLIENT, now }),
    required: ['iss', 'aud', 'iat', 'exp', 'tier', 'card_id', 'card_version', 'card_sha256', 'facts_sha256', 'standing'],
  },
  'key binding': {
    reason: 'key_binding_required',
    header: () => ({ typ: 'kb+jwt', alg: 'ES256' }),
    claims: { iat: now, aud: ISSUER, nonce: 'n-0S6_WzA2Mj', sd_hash: sha },
    verify: (token: unknown) => verifyKeyBinding(token, keyOf(signer), sha, { audience: ISSUER, nonce: 'n-0S6_WzA2Mj', now }),
    required: ['iat', 'aud', 'nonce', 'sd_hash'],
  },
} as const
const names = Object.keys(kinds) as (keyof typeof kinds)[]

describe.each(names)('%s', (name) => {
  const kind = kinds[name]
  const refused = (token: unknown) => expect(kind.verify(token)).rejects.toMatchObject({ name: 'Refusal', reason: kind.reason })

  test('a valid token is accepted, by jose too', async () => {
    const token = await forge(kind.header(), kind.claims, signer)
    await kind.verify(token)
    const { payload } = await jose.compactVerify(token, await jose.importJWK(signer.publicJwk as jose.JWK, 'ES256'))
    expect(JSON.parse(new TextDecoder().decode(payload))).toEqual(kind.claims)
  })

  test.each(kind.required)('a token without `%s` is refused', async (claim) => {
    const { [claim]: _, ...rest } = kind.claims as Record<string, unknown>
    await refused(await forge(kind.header(), rest, signer))
  })

  test.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['alg nOnE', { alg: 'nOnE' }],
    ['an empty alg', { alg: '' }],
    ['no alg', { alg: undefined }],
    ['HS256', { alg: 'HS256' }],
    ['the alg of another key', { alg: 'ES384' }],
    ['an embedded key', { jwk: { kty: 'EC' } }],
    ['crit of a claim', { crit: ['exp'] }],
    ['an unknown crit', { crit: ['foo'], foo: 1 }],
    ['an empty crit', { crit: [] }],
    ['b64 false', { b64: false, crit: ['b64'] }],
    ['b64 true', { b64: true }],
    ['the typ of a DPoP proof', { typ: 'dpop+jwt' }],
    ['an unknown typ', { typ: 'x' }],
    ['a kid that is an array', { kid: ['k'] }],
    ['a kid of 10 kB', { kid: 'k'.repeat(10_000) }],
    ['a kid that is a path', { kid: '../../../../dev/null' }],
    ['a kid that is a query', { kid: '{"$ne":1}' }],
    ['a kid that is __proto__', { kid: '__proto__' }],
  ])('a token with %s is refused', async (_, header) => {
    await refused(await forge({ ...kind.header(), ...header }, kind.claims, signer))
  })

  test.each<[string, string]>([
    ['a header with a duplicate member', '{"alg":"none","alg":"ES256"}'],
    ['a header that is an array', '["ES256"]'],
    ['a header of 40 levels', `{"alg":"ES256","x":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['a header with __proto__', '{"alg":"ES256","__proto__":{}}'],
    ['a header that is not JSON', 'alg: ES256'],
  ])('a token with %s is refused', async (_, header) => {
    await refused(await forge(header, kind.claims, signer))
  })

  test('claims that have a duplicate member, have 8000 levels or are not an object are refused', async () => {
    const text = JSON.stringify(kind.claims)
    await refused(await forge(kind.header(), text.replace('{', '{"iat":1,'), signer))
    await refused(await forge(kind.header(), text.replace('{', `{"x":${'['.repeat(8000)}${']'.repeat(8000)},`), signer))
    await refused(await forge(kind.header(), '[1]', signer))
    await refused(await forge(kind.header(), 'null', signer))
  })

  test('a token signed by another key, or with a constant, short or empty signature, is refused', async () => {
    await refused(await forge(kind.header(), kind.claims, other))
    const [head, body] = (await forge(kind.header(), kind.claims, signer)).split('.')
    for (const bytes of [new Uint8Array(64), new Uint8Array(63).fill(1), new Uint8Array(0), new Uint8Array(64).fill(255)]) {
      await refused(`${head}.${body}.${base64url(bytes)}`)
    }
  })

  test('another spelling of the same token is refused', async () => {
    const token = await forge(kind.header(), kind.claims, signer)
    const [head = '', body = '', tail = ''] = token.split('.')
    const last = tail.at(-1) ?? ''
    const nonCanonical =
      tail.slice(0, -1) +
      'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.charAt(
        'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(last) + 1,
      )
    expect(fromBase64url(tail)).toBeDefined()
    for (const bad of [
      `${token}=`,
      `${token}.`,
      `${head}.${body}`,
      `${token}.a`,
      ` ${token}`,
      `${token}\n`,
      `${head}.${body}.${nonCanonical}`,
      `.${body}.${tail}`,
    ])
      await refused(bad)
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an object', {}],
    ['an empty string', ''],
    ['two dots', '..'],
    ['1 MB', 'a'.repeat(1_000_000)],
  ])('%s is refused', async (_, token) => {
    await refused(token)
  })

  test('a token with changed bytes is always refused, and the verifier throws nothing but refusals', async () => {
    const good = await forge(kind.header(), kind.claims, signer)
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.string({ unit: 'binary', maxLength: 3 }), fc.nat(3), async (at, put, cut) => {
        const bad = good.slice(0, at) + put + good.slice(at + cut)
        fc.pre(bad !== good)
        await kind.verify(bad).then(
          () => expect.unreachable('a changed token was accepted'),
          (error: unknown) => expect(isRefusal(error)).toBe(true),
        )
      }),
      { numRuns: 150 },
    )
  })

  test('tokens of all other kinds are refused', async () => {
    for (const another of names.filter((kindName) => kindName !== name)) {
      const { header, claims } = kinds[another]
      await refused(await forge({ ...header(), typ: header().typ }, { ...claims, ...kind.claims }, signer))
    }
  })
})

describe('claims', () => {
  const cases: [keyof typeof kinds, string, Record<string, unknown>][] = [
    ['client assertion', 'another issuer', { iss: `agt_${'z'.repeat(22)}` }],
    ['client assertion', 'another subject', { sub: `agt_${'z'.repeat(22)}` }],
    ['client assertion', 'the token endpoint as audience', { aud: `${ISSUER}/oauth/token` }],
    ['client assertion', 'a list of audiences', { aud: [ISSUER] }],
    ['client assertion', 'the issuer with a slash', { aud: `${ISSUER}/` }],
    ['client assertion', 'exp now', { exp: now }],
    ['client assertion', 'a string as exp', { exp: String(now + 60) }],
    ['client assertion', 'exp 9e15', { exp: 9e15 }],
    ['client assertion', 'exp 1e300', { exp: 1e300 }],
    ['client assertion', 'an exp with a fraction', { exp: now + 60.5 }],
    ['client assertion', 'a lifetime of 301 s', { exp: now + 301 }],
    ['client assertion', 'an iat in ten years', { iat: now + 315_360_000, exp: now + 315_360_060 }],
    ['client assertion', 'an nbf in a minute', { nbf: now + 60 }],
    ['client assertion', 'a short jti', { jti: 'x' }],
    ['access token', 'another issuer', { iss: 'https://evil.example' }],
    ['access token', 'another audience', { aud: ISSUER }],
    ['access token', 'two audiences', { aud: [`${ISSUER}/agents/x`, ISSUER] }],
    ['access token', 'exp now', { exp: now }],
    ['access token', 'an invalid handle', { standing: { at: 1, dependsOn: ['x'] } }],
    ['key proof', 'another owner', { owner: `agt_${'z'.repeat(22)}` }],
    ['key proof', 'another registry', { aud: 'https://other.example' }],
    ['key proof', 'a life of 301 s', { exp: now + 301 }],
    ['release policy', 'another card', { card_sha256: 'x'.repeat(43) }],
    ['release policy', 'another agent', { sub: 'urn:b' }],
    ['release policy', 'another publisher', { iss: 'https://q.example' }],
    ['release policy', 'an invalid pointer', { tiers: { skills: 'public' } }],
    ['release policy', 'an unknown tier', { default: 'secret' }],
    ['card view', 'another caller', { aud: 'public' }],
    ['card view', 'another registry', { iss: 'https://other.example' }],
    ['card view', 'exp now', { exp: now }],
    ['card view', 'a life of 301 s', { exp: now + 301 }],
    ['key binding', 'another verifier', { aud: 'https://other.example' }],
    ['key binding', 'another nonce', { nonce: 'other' }],
    ['key binding', 'another presentation', { sd_hash: 'x'.repeat(43) }],
    ['key binding', 'an iat 301 s ago', { iat: now - 301 }],
  ]
  test.each(cases)('%s with %s is refused', async (name, _, change) => {
    const kind = kinds[name]
    await expect(kind.verify(await forge(kind.header(), { ...kind.claims, ...change }, signer))).rejects.toMatchObject({
      reason: kind.reason,
    })
  })

  test('unknown claims of an access token are ignored, but handles of unknown kinds are kept', async () => {
    const { header, claims, verify } = kinds['access token']
    const handles = [...claims.standing.dependsOn, `zone:${'d'.repeat(22)}`]
    const newer = { ...claims, jti: `tok_${'e'.repeat(22)}`, standing: { at: 3, dependsOn: handles, weather: 'fine' }, weather: 'fine' }
    const verified = await verify(await forge(header(), newer, signer))
    expect(verified.claims).toEqual({ ...claims, jti: newer.jti, standing: { at: 3, dependsOn: handles } })
  })

  test('times, claims and keys of a cached access token are checked at each use', async () => {
    const { header, claims } = kinds['access token']
    const token = await forge(header(), { ...claims, jti: `tok_${'c'.repeat(22)}` }, signer)
    const expected = { issuer: ISSUER, now, audience: claims.aud }
    const verify = (changes: object = {}, keys = [keyOf(signer)], text = token) =>
      verifyAccessToken(text, () => keys, { ...expected, ...changes })
    expect((await verify()).claims).toEqual((await verify()).claims)
    const rejected = [
      () => verify({ now: now + 3600 }),
      () => verify({ audience: `${ISSUER}/agents/y` }),
      () => verify({ issuer: 'https://other.example' }),
      () => verify({}, []),
      () => verify({}, [keyOf(other)]),
      () => verify({}, [{ jwk: { ...signer.publicJwk, use: 'enc' } as never, alg: 'ES256' as const }]),
      () => verify({}, [keyOf(signer)], `${token.slice(0, -4)}AAAA`),
      () => verify({}, [keyOf(signer)], `${token} `),
    ]
    for (const use of rejected) await expect(use()).rejects.toMatchObject({ reason: 'invalid_token' })
    await verify()
  })

  test('an access token without the kid of its key is refused', async () => {
    const { kid: _, ...header } = kinds['access token'].header()
    await expect(kinds['access token'].verify(await forge(header, kinds['access token'].claims, signer))).rejects.toMatchObject({
      reason: 'invalid_token',
    })
  })

  describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('the times of a %s', (name) => {
    const kind = kinds[name]
    const verify = async (times: object) => kind.verify(await forge(kind.header(), { ...kind.claims, ...times }, signer))
    const { exp } = { exp: undefined, ...kind.claims } as { exp?: number }
    // A clock that is up to 10 s ahead is accepted, one that is more than 60 s ahead is not: FAPI 2.0 §5.3.2.1
    test.each([0, 1, 6, 10])('an iat in %i s is accepted', async (seconds) => {
      await verify({ iat: now + seconds, ...(exp !== undefined && { exp: exp + seconds }) })
    })
    test.each([
      ['an iat in 61 s', { iat: now + 61, exp: now + 120 }],
      ['an nbf in 61 s', { nbf: now + 61 }],
      ['an exp now', { exp: now }],
      ['a string as exp', { exp: String(now + 60) }],
      ['a string as nbf', { nbf: String(now) }],
    ])('%s is refused', async (_, times) => {
      await expect(verify(times)).rejects.toMatchObject({ reason: kind.reason })
    })
  })

  test('the caller can set the reason of a refusal', async () => {
    await expect(verifyAccessToken('x', () => [], { issuer: ISSUER, now, reason: 'invalid_request' })).rejects.toMatchObject({
      reason: 'invalid_request',
    })
  })
})

describe('keys with restrictions', () => {
  test.each([
    { use: 'enc' },
    { key_ops: ['sign'] },
    { alg: 'ES384' },
    { d: 'AAAA' },
  ])('a key with %o verifies no assertion', async (restriction) => {
    const token = await forge(kinds['client assertion'].header(), kinds['client assertion'].claims, signer)
    const keys = [{ jwk: { ...signer.publicJwk, ...restriction } }]
    await expect(verifyClientAssertion(token, { clientId: CLIENT, keys, issuer: ISSUER, now })).rejects.toMatchObject({
      reason: 'invalid_client',
    })
  })

  test('an assertion with an HMAC that uses the public key as secret is refused', async () => {
    const pem = await jose.exportSPKI(
      (await jose.importJWK({ ...signer.publicJwk } as jose.JWK, 'ES256', { extractable: true })) as jose.CryptoKey,
    )
    const token = await new jose.SignJWT({ ...kinds['client assertion'].claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(pem))
    await expect(kinds['client assertion'].verify(token)).rejects.toMatchObject({ reason: 'invalid_client' })
  })
})

describe('signing', () => {
  test('an assertion of assertClient is accepted and names its client', async () => {
    const assertion = await assertClient({ signer, clock, random: countingRandom() }, { clientId: CLIENT, issuer: ISSUER })
    expect(readClientAssertion(assertion)?.clientId).toBe(CLIENT)
    expect(await kinds['client assertion'].verify(assertion)).toMatchObject({ jkt: thumbprint(signer.publicJwk) })
  })

  test.each([['x'], [''], [undefined], ['a.b.c']])('%o names no client', (assertion) => {
    expect(readClientAssertion(assertion)?.clientId).toBeUndefined()
  })

  test('a key proof is accepted', async () => {
    const proof = await proveKey({ signer, clock, random: countingRandom() }, { issuer: ISSUER, owner: CLIENT })
    expect(await kinds['key proof'].verify(proof)).toMatchObject({ jkt: thumbprint(signer.publicJwk), alg: 'ES256' })
  })

  test.each(['ES256', 'ES384', 'EdDSA'] as const)('jose verifies a JWT that is signed with %s', async (alg) => {
    const holder = await newSigner(alg)
    const token = await signJwt({ typ: 'x' }, { a: 1 }, holder)
    const { protectedHeader } = await jose.compactVerify(token, await jose.importJWK(holder.publicJwk as jose.JWK, alg))
    expect(protectedHeader).toEqual({ typ: 'x', alg })
  })

  test.each(['PS256', 'RS256'] as const)('a JWT that is signed with an RSA key for %s verifies for that algorithm only', async (alg) => {
    const { privateKey } = await jose.generateKeyPair(alg, { extractable: true })
    const holder = await signerFromJwk({ ...(await jose.exportJWK(privateKey)), alg })
    const claims = kinds['client assertion'].claims
    const token = await signJwt({ typ: 'JWT' }, claims, holder)
    await verifyClientAssertion(token, { clientId: CLIENT, keys: [{ jwk: holder.publicJwk, alg }], issuer: ISSUER, now })
    const wrong = alg === 'PS256' ? 'RS256' : 'PS256'
    await expect(
      verifyClientAssertion(token, { clientId: CLIENT, keys: [{ jwk: holder.publicJwk, alg: wrong }], issuer: ISSUER, now }),
    ).rejects.toMatchObject({ reason: 'invalid_client' })
  })

  test('jose verifies what a copy of a signer has signed, and a signer with its own `sign` is called with the same bytes', async () => {
    const holder = await newSigner()
    const signed: string[] = []
    const device: Signer = {
      ...holder,
      sign: (data) => {
        signed.push(new TextDecoder().decode(data))
        return holder.sign(data)
      },
    }
    const key = await jose.importJWK(holder.publicJwk as jose.JWK, 'ES256')
    const tokens = await Promise.all([{ ...holder }, device].map((one) => signJwt({ typ: 'x' }, { a: 1 }, one)))
    for (const token of tokens) await jose.compactVerify(token, key)
    const inputs = tokens.map((token) => token.slice(0, token.lastIndexOf('.')))
    expect(inputs[0]).toBe(inputs[1])
    expect(signed).toEqual([inputs[1]])
  })

  test('a signature over bare bytes verifies for these bytes only, and one of another length never', async () => {
    for (const alg of ['ES256', 'ES384', 'EdDSA'] as const) {
      const holder = await newSigner(alg)
      const key = await loadKey(parsePublicJwk(holder.publicJwk))
      if (key === undefined) return expect.unreachable('the key was not imported')
      const signature = await holder.sign(Uint8Array.of(1, 2))
      expect(await verifySignature(alg, key, signature, Uint8Array.of(1, 2))).toBe(true)
      expect(await verifySignature(alg, key, signature, Uint8Array.of(1, 3))).toBe(false)
      for (const length of [0, 1, signature.length - 1, signature.length + 1])
        expect(await verifySignature(alg, key, new Uint8Array(length), Uint8Array.of(1, 2))).toBe(false)
    }
  })

  test('a new private key can be stored as JSON', async () => {
    const jwk = JSON.parse(JSON.stringify(await newPrivateJwk()))
    expect(await signerFromJwk(jwk)).toMatchObject({ alg: 'ES256', publicJwk: { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y } })
  })
})

describeShared('vectors/rfc9449', 'RFC 9449 proofs as other kinds', (vectors) => {
  test('a DPoP proof is refused as each other kind of JWT', async () => {
    for (const { proof } of vectors.json('proofs.json')) {
      for (const name of names) await expect(kinds[name].verify(proof)).rejects.toMatchObject({ reason: kinds[name].reason })
    }
  })
})
