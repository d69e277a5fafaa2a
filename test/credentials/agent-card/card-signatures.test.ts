import { canonicalizeAgentCard, generateAgentCardSignature, verifyAgentCardSignature } from '@a2a-js/sdk'
import fc from 'fast-check'
import type * as jose from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { CARD_PROFILES, canonicalCard, cardForm, uncoveredPaths } from '../../../src/credentials/agent-card/canonical-card.js'
import { uncoveredSecurity } from '../../../src/credentials/agent-card/card-security.js'
import { signCard, verifyCardSignatures } from '../../../src/credentials/agent-card/card-signatures.js'
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newPrivateJwk, type Signer, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { base64url, utf8 } from '../../../src/lib/bytes.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { describeShared } from '../../shared-material.js'
import { newSigner } from '../forge.js'

const card: JsonObject = {
  name: 'OCR',
  description: 'Reads pages',
  version: '1.0.0',
  supportedInterfaces: [{ url: 'https://ocr.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: false },
  securitySchemes: {
    oauth: {
      oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: 'https://r.example/oauth/token', scopes: { read: 'Read' } } } },
    },
  },
  securityRequirements: [{ schemes: { oauth: { list: ['read'] } } }],
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 'ocr', name: 'OCR', description: 'Reads', tags: ['ocr'] }],
}
/** biome-ignore lint/suspicious/noExplicitAny: the SDK types a card as a message; this test passes JSON, as the SDK client does */
const asSdk = (value: JsonObject): any => value

let signer: Signer
let jwk: JsonWebKey
beforeAll(async () => {
  jwk = await newPrivateJwk()
  signer = await signerFromJwk(jwk)
})
const keys = () => [{ jwk: { ...signer.publicJwk }, alg: signer.alg }]
const verdictOf = async (signed: JsonObject) => (await verifyCardSignatures(signed, keys))[0]
const signedOver = async (payload: string, header: object = {}) => {
  const head = base64url(utf8(JSON.stringify({ alg: 'ES256', kid: thumbprint(signer.publicJwk), typ: 'JOSE', ...header })))
  return { protected: head, signature: base64url(await signer.sign(utf8(`${head}.${base64url(utf8(payload))}`))) }
}

describe('canonical forms', () => {
  test('`spec` follows proto3 presence (A2A §8.4.1): required members stay, unset and default values are omitted', () => {
    const fragment = {
      name: 'Example Agent',
      description: '',
      capabilities: { streaming: false, pushNotifications: false, extensions: [] },
      skills: [],
      securityRequirements: [],
    }
    expect(canonicalCard(fragment, 'spec')).toBe(
      '{"capabilities":{"pushNotifications":false,"streaming":false},"description":"","name":"Example Agent","skills":[]}',
    )
  })

  test('`raw` is the card without its signatures', () => {
    expect(canonicalCard({ b: [], a: '', signatures: [1] }, 'raw')).toBe('{"a":"","b":[]}')
  })

  /** The strict JSON reader refuses these member names, and the SDK drops one of them. */
  const UNSAFE = /__proto__|constructor|prototype/
  const anyCard = fc
    .record(
      {
        name: fc.oneof(fc.string(), fc.constant(''), fc.integer()),
        description: fc.string(),
        version: fc.constantFrom('', '1'),
        url: fc.string(),
        documentationUrl: fc.constantFrom('', 'https://x.example', null),
        icon_url: fc.constantFrom('', 'https://x.example'),
        supported_interfaces: fc.array(
          fc.record({ url: fc.string(), protocol_binding: fc.string(), tenant: fc.constantFrom('', 't') }, { requiredKeys: [] }),
          { maxLength: 2 },
        ),
        provider: fc.constantFrom<JsonObject | null | string>({}, { url: '' }, { organization: 'x', extra: 1 }, null, 'x'),
        capabilities: fc.record(
          {
            streaming: fc.constantFrom<unknown>(true, false, null, 'yes', 0),
            push_notifications: fc.boolean(),
            extensions: fc.array(
              fc.record(
                { uri: fc.string(), required: fc.boolean(), params: fc.dictionary(fc.string(), fc.jsonValue()) },
                { requiredKeys: [] },
              ),
              { maxLength: 2 },
            ),
          },
          { requiredKeys: [] },
        ),
        securitySchemes: fc.dictionary(
          fc.constantFrom('a', 'b'),
          fc.constantFrom<JsonObject>(
            {},
            { apiKeySecurityScheme: { name: 'k', location: '' } },
            { http_auth_security_scheme: { scheme: 'bearer' }, mtlsSecurityScheme: {} },
            { oauth2SecurityScheme: { flows: { client_credentials: { tokenUrl: 't', scopes: { a: '', b: 'x' } }, implicit: {} } } },
            { openIdConnectSecurityScheme: { openIdConnectUrl: 'u' } },
          ),
        ),
        securityRequirements: fc.array(
          fc.constantFrom<JsonObject>({}, { schemes: { a: { list: [] } } }, { schemes: { a: { list: ['x', ''] } } }, { a: [] }),
          { maxLength: 3 },
        ),
        skills: fc.array(
          fc.record(
            { id: fc.string(), tags: fc.array(fc.string(), { maxLength: 3 }), inputModes: fc.constantFrom([], ['a']), x: fc.integer() },
            { requiredKeys: [] },
          ),
          { maxLength: 2 },
        ),
        unknown: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .filter((value) => !UNSAFE.test(JSON.stringify(value)))

  test('`sdk` is the form that the official SDK signs', () => {
    fc.assert(
      fc.property(anyCard, (value) => {
        const json = JSON.parse(JSON.stringify(value))
        expect(canonicalCard(json, 'sdk')).toBe(canonicalizeAgentCard(asSdk(json)))
      }),
      { numRuns: 500 },
    )
  })

  test('the canonical form of a canonical form is unchanged', () => {
    fc.assert(
      fc.property(anyCard, fc.constantFrom('spec' as const, 'sdk' as const, 'raw' as const), (value, profile) => {
        const form = cardForm(JSON.parse(JSON.stringify(value)), profile)
        expect(canonicalCard(form, profile)).toBe(canonical(form))
      }),
    )
  })

  test('parts that `sdk` omits are reported, empty security requirements included', () => {
    const open = {
      ...card,
      securityRequirements: [{ schemes: { oauth: { list: [] } } }],
      iconUrl: '',
      'x-price': 1,
      provider: { organization: 'x', url: 'u', more: true },
    }
    const paths = uncoveredPaths(open, cardForm(open, 'sdk'))
    expect(paths.sort()).toEqual(['/provider/more', '/securityRequirements', '/x-price'])
    expect(uncoveredSecurity(open, cardForm(open, 'sdk'))).toMatchObject([{ pointer: '/securityRequirements' }])
  })

  test('a value that the SDK coerces to another value is reported', () => {
    const odd = { ...card, version: 2, capabilities: { streaming: 'yes' } }
    expect(uncoveredPaths(odd, cardForm(odd, 'sdk')).sort()).toEqual(['/capabilities/streaming', '/version'])
  })
})

describe('card signatures', () => {
  test('the SDK verifies a card of signCard, whose canonical forms are all equal', async () => {
    const signed = await signCard(
      { ...card, iconUrl: '', skills: [{ id: 'ocr', name: 'OCR', description: 'Reads', tags: ['ocr'], examples: [] }] },
      signer,
    )
    expect(new Set(CARD_PROFILES.map((profile) => canonicalCard(signed, profile))).size).toBe(1)
    expect(await verdictOf(signed)).toMatchObject({ state: 'valid', profile: 'raw', uncovered: [], jkt: thumbprint(signer.publicJwk) })
    await verifyAgentCardSignature(async () => signer.publicJwk as jose.JWK)(asSdk(signed))
  })

  test('a card that the SDK signed is valid under the profile `sdk`', async () => {
    const signed = await generateAgentCardSignature(jwk as jose.JWK, { alg: 'ES256', kid: 'k', typ: 'JOSE' })(
      asSdk({ ...card, 'x-own': 1, iconUrl: '' }),
    )
    expect(await verdictOf(JSON.parse(JSON.stringify(signed)))).toMatchObject({
      state: 'valid',
      profile: 'sdk',
      kid: 'k',
      uncovered: ['/x-own'],
    })
  })

  test('a signature over the form of the specification is valid under the profile `spec`', async () => {
    const loose = { ...card, description: '', securityRequirements: [] }
    const signed = { ...loose, signatures: [await signedOver(canonicalCard(loose, 'spec'))] }
    expect(await verdictOf(signed)).toMatchObject({ state: 'valid', profile: 'spec', uncovered: [] })
  })

  test('signCard keeps earlier signatures', async () => {
    const other = await newSigner('EdDSA')
    const twice = await signCard(await signCard(card, signer), other)
    const verdicts = await verifyCardSignatures(twice, () => [...keys(), { jwk: { ...other.publicJwk } }])
    expect(verdicts.map(({ state }) => state)).toEqual(['valid', 'valid'])
  })

  test('a signature is invalid if a member was changed or removed', async () => {
    const signed = await signCard(card, signer)
    const { description: _, ...less } = signed
    for (const changed of [{ ...signed, description: 'x' }, less, { ...signed, skills: [] }])
      expect(await verdictOf(changed)).toMatchObject({ state: 'invalid' })
  })

  test('a card with an added unknown member is valid only under a profile that reports the member as uncovered', async () => {
    const added = { ...(await signCard(card, signer)), security: [{ none: [] }] }
    expect(await verdictOf(added)).toMatchObject({
      state: 'valid',
      profile: 'sdk',
      uncovered: ['/security'],
      uncoveredSecurity: [{ pointer: '/security' }],
    })
  })

  test.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['HS256', { alg: 'HS256' }],
    ['an embedded key', { jwk: { kty: 'EC' } }],
    ['crit', { crit: ['exp'] }],
    ['the typ of a token', { typ: 'at+jwt' }],
    ['the typ of an assertion', { typ: 'client-authentication+jwt' }],
  ])('a signature whose header has %s is invalid', async (_, header) => {
    expect(await verdictOf({ ...card, signatures: [await signedOver(canonicalCard(card, 'raw'), header)] })).toMatchObject({
      state: 'invalid',
    })
  })

  test('`jku`, `x5u` and `x5c` are ignored', async () => {
    const hints = { jku: 'https://attacker.example/jwks.json', x5u: 'https://attacker.example/x', x5c: ['AAAA'] }
    expect(await verdictOf({ ...card, signatures: [await signedOver(canonicalCard(card, 'raw'), hints)] })).toMatchObject({
      state: 'valid',
    })
    const verdicts = await verifyCardSignatures({ ...card, signatures: [await signedOver(canonicalCard(card, 'raw'), hints)] }, () => [])
    expect(verdicts).toMatchObject([{ state: 'unknown_key' }])
  })

  test('an unprotected header that repeats or extends the protected one makes the signature invalid', async () => {
    const good = await signedOver(canonicalCard(card, 'raw'))
    for (const header of [{ alg: 'ES256' }, { kid: 'x' }, { crit: ['a'] }]) {
      expect(await verdictOf({ ...card, signatures: [{ ...good, header }] })).toMatchObject({ state: 'invalid' })
    }
    expect(await verdictOf({ ...card, signatures: [{ ...good, header: { note: 1, toString: 2 } }] })).toMatchObject({ state: 'valid' })
  })

  test.each<[string, unknown]>([
    ['a string', 'x'],
    ['an object', {}],
    ['strings', ['x']],
    ['nulls', [null]],
    ['nine signatures', Array.from({ length: 9 }, () => ({ protected: 'e30', signature: '' }))],
    ['not base64url', [{ protected: '=', signature: '*' }]],
    ['numbers', [{ protected: 1, signature: 2 }]],
  ])('`signatures` that are %s are invalid, without an exception', async (_, signatures) => {
    const verdicts = await verifyCardSignatures({ ...card, signatures } as JsonObject, keys)
    expect(verdicts.length).toBeGreaterThan(0)
    expect(verdicts.every(({ state }) => state === 'invalid')).toBe(true)
  })

  test('an unsigned card has no verdicts', async () => {
    expect(await verifyCardSignatures(card, keys)).toEqual([])
  })
})

describeShared('cards', 'cards of real agents', (cards) => {
  test('`sdk` is the form that the official SDK signs, for each real card', () => {
    const names = cards.names().filter((name) => name.endsWith('.json'))
    expect(names.length).toBeGreaterThan(50)
    for (const name of names) {
      const json = cards.json(name)
      expect(canonicalCard(json, 'sdk'), name).toBe(canonicalizeAgentCard(json))
    }
  })
})
