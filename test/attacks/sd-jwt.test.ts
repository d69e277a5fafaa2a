import { describe, expect, test } from 'vitest'
import { verifyCardCredential } from '../../src/credentials/agent-card/card-credential.js'
import { type PublishableCard, preparePublication } from '../../src/credentials/agent-card/sign-card.js'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { presentSdJwt } from '../../src/credentials/sd-jwt/issue.js'
import { bindPresentation } from '../../src/credentials/sd-jwt/key-binding.js'
import { base64url, utf8 } from '../../src/lib/bytes.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { forge, newSigner } from '../credentials/forge.js'
import { aCard } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { attack, attackSetup } from './attack.js'

const setup = attackSetup()
const SALT = 'c2FsdC1vZi0xNi1ieXRlcw'
const disclosure = (...parts: unknown[]) => base64url(utf8(JSON.stringify(parts)))

interface Parts {
  readonly payload: JsonObject & { agent_card: JsonObject & { _sd?: string[] } }
  readonly disclosures: string[]
}

/** A valid SD-JWT card of the OCR agent. */
function prepare(): Promise<PublishableCard> {
  const skills = [
    { id: 'read-page', name: 'Read a page', description: 'Text of one page.', tags: ['ocr'] },
    { id: 'sealed', name: 'Sealed', description: 'hidden', tags: ['sealed'] },
  ]
  const order = {
    card: aCard(setup.registry, { skills }),
    nonPublic: ['/skills/1'],
    tiers: {},
    defaultTier: 'introduced' as const,
    iss: setup.ocr.agentId,
    sub: setup.ocr.audience,
    vct: `${setup.registry.issuer}/vct/a2a-agent-card/1`,
    agentId: setup.ocr.agentId,
    version: 2,
    releaseNumber: 2,
    seconds: 86_400,
  }
  return preparePublication(order, { signer: setup.ocr.signer, random: systemRandom, now: setup.registry.clock.now() })
}

/** Publishes a changed SD-JWT that its publisher has signed, as a malicious publisher would. */
async function publishForged(change: (parts: Parts) => Parts | string, spell: (text: string) => string = (text) => text): Promise<string> {
  const { publicCard, sdJwt = '', releasePolicy } = await prepare()
  const [jwt = '', ...rest] = sdJwt.split('~')
  const [head = '', body = ''] = jwt.split('.')
  const parsed = { payload: JSON.parse(Buffer.from(body, 'base64url').toString()), disclosures: rest.slice(0, -1) }
  const changed = change(parsed)
  const { payload, disclosures } = typeof changed === 'string' ? { payload: changed, disclosures: parsed.disclosures } : changed
  const signed = await forge(Buffer.from(head, 'base64url').toString(), payload, setup.ocr.signer)
  const text = spell([signed, ...disclosures, ''].join('~'))
  return reasonOf(setup.ocr.mutate('cards.publish', { agentId: setup.ocr.agentId, publicCard, sdJwt: text, releasePolicy }))
}
/** Adds disclosures and their digests to the card. */
const withDisclosures =
  (...added: string[]) =>
  ({ payload, disclosures }: Parts): Parts => ({
    payload: {
      ...payload,
      agent_card: {
        ...payload.agent_card,
        _sd: [...added, ...Array.from({ length: 16 - added.length }, () => systemRandom.token(32))].map((text) =>
          text.length === 43 ? text : digestOfText(text),
        ),
      },
    },
    disclosures: [...disclosures, ...added],
  })
const refused = (id: string, what: string, change: (parts: Parts) => Parts | string, spell?: (text: string) => string) =>
  attack(
    id,
    `${what} is refused`,
    setup,
    async () => {
      expect(await publishForged(change, spell)).toBe('sd_jwt_invalid')
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    },
    { writes: false },
  )

refused('SDJ-01', 'a disclosure whose digest does not occur', ({ payload, disclosures }) => ({
  payload,
  disclosures: [...disclosures, disclosure(SALT, 'role', 'admin')],
}))
refused('SDJ-02', 'a digest at two levels', (parts) => {
  const made = withDisclosures(disclosure(SALT, 'iconUrl', 'https://icon.example/'))(parts)
  return { ...made, payload: { ...made.payload, _sd: made.payload.agent_card._sd ?? [] } }
})
refused('SDJ-02', 'a digest twice in a list', (parts) => {
  const made = withDisclosures(disclosure(SALT, 'iconUrl', 'https://icon.example/'))(parts)
  const list = made.payload.agent_card._sd ?? []
  return { ...made, payload: { ...made.payload, agent_card: { ...made.payload.agent_card, _sd: [...list.slice(0, 15), list[0] ?? ''] } } }
})
for (const claim of ['iss', 'exp'])
  refused('SDJ-03', `a disclosure that repeats the claim \`${claim}\``, ({ payload, disclosures }) => {
    const made = disclosure(SALT, claim, 9_999_999_999)
    return { payload: { ...payload, _sd: [digestOfText(made)] }, disclosures: [...disclosures, made] }
  })
for (const name of ['__proto__', 'constructor', 'toString', ''])
  refused('SDJ-06', `a disclosure with the name ${JSON.stringify(name)}`, withDisclosures(disclosure(SALT, name, { polluted: true })))
for (const [what, made] of [
  ['of one element', disclosure(SALT)],
  ['of four elements', disclosure(SALT, 'iconUrl', 'x', 'y')],
  ['that is an object', base64url(utf8('{"salt":"x"}'))],
  ['with a number for its salt', disclosure(5, 'iconUrl', 'x')],
  ['with a number for its name', disclosure(SALT, 5, 'x')],
  ['with 64 bits of salt', disclosure('MTIzNDU2Nzg', 'iconUrl', 'x')],
] as const)
  refused('SDJ-08', `a disclosure ${what}`, withDisclosures(made))
attack('SDJ-08', 'two disclosures with the same salt are refused', setup, async () => {
  const icon = (salt: string) => disclosure(salt, 'iconUrl', 'https://icon.example/')
  const docs = disclosure(SALT, 'documentationUrl', 'https://docs.example/')
  expect(await publishForged(withDisclosures(icon(SALT), docs))).toBe('sd_jwt_invalid')
  // The same disclosures with different salts are accepted.
  expect(await publishForged(withDisclosures(icon('YW5vdGhlci1zYWx0LTE2Yg'), docs))).toBe('done')
})
for (const alg of ['sha-1', 'md5', 'none', 'SHA-256', 'sha3-256'])
  refused('SDJ-09', `_sd_alg ${alg}`, ({ payload, disclosures }) => ({ payload: { ...payload, _sd_alg: alg }, disclosures }))
refused('SDJ-09', 'an _sd_alg inside the card', ({ payload, disclosures }) => ({
  payload: { ...payload, agent_card: { ...payload.agent_card, _sd_alg: 'sha-256' } },
  disclosures,
}))
attack(
  'SDJ-17',
  'a card with 8000 disclosures is refused',
  setup,
  async () => {
    const made = Array.from({ length: 8000 }, (_, i) => disclosure(SALT, `n${i}`, i))
    expect(await publishForged(withDisclosures(...made))).toBe('bad_input')
  },
  { writes: false },
)
attack(
  'SDJ-18',
  'claims nested 8000 levels deep are refused',
  setup,
  async () => {
    expect(await publishForged(() => `${'{"a":'.repeat(8000)}1${'}'.repeat(8000)}`)).toBe('sd_jwt_invalid')
  },
  { writes: false },
)
for (const claim of ['iss', 'sub', 'exp', 'vct', 'cnf', 'nbf'])
  refused('SDJ-23', `the claim \`${claim}\` as a withheld disclosure`, ({ payload, disclosures }) => {
    const { [claim]: taken, ...rest } = payload
    const made = disclosure(SALT, claim, taken ?? 1)
    return { payload: { ...rest, _sd: [digestOfText(made)] } as unknown as Parts['payload'], disclosures }
  })
for (const [what, spell, reason] of [
  ['without a tilde at its end', (text: string) => text.slice(0, -1), 'sd_jwt_invalid'],
  ['of three tildes and nothing else', () => '~~~', 'sd_jwt_invalid'],
  ['with two tildes in a row', (text: string) => text.replace('~', '~~'), 'sd_jwt_invalid'],
  ['that is empty', () => '', 'bad_input'],
] as const)
  attack(
    'SDJ-24',
    `an SD-JWT ${what} is refused`,
    setup,
    async () => {
      expect(await publishForged((parts) => parts, spell)).toBe(reason)
    },
    { writes: false },
  )

describe('key binding', () => {
  const bound = async () => {
    const { publicCard, sdJwt = '' } = await prepare()
    const holder = await newSigner()
    const [jwt = '', ...rest] = sdJwt.split('~')
    const [head = '', body = ''] = jwt.split('.')
    const payload = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), cnf: { jwk: holder.publicJwk } }
    const whole = [await forge(Buffer.from(head, 'base64url').toString(), payload, setup.ocr.signer), ...rest].join('~')
    const now = setup.registry.clock.now()
    const binding = { audience: 'https://verifier.example', nonce: 'n-1', now }
    const verify = (text: string) =>
      reasonOf(verifyCardCredential(text, JSON.parse(publicCard), [{ jwk: setup.ocr.signer.publicJwk }], { now, keyBinding: binding }))
    return { whole, binding, holder, verify }
  }
  test('SDJ-10 a presentation whose key binding was removed is refused', async () => {
    const { whole, binding, holder, verify } = await bound()
    const good = await bindPresentation(whole, binding, holder)
    expect(await verify(good)).toBe('done')
    expect(await verify(good.slice(0, good.lastIndexOf('~') + 1))).toBe('key_binding_required')
  })
  test('SDJ-11 a key binding by another key is refused', async () => {
    const { whole, binding, verify } = await bound()
    expect(await verify(await bindPresentation(whole, binding, await newSigner()))).toBe('key_binding_required')
  })
  test('SDJ-12 a key binding for another verifier, nonce or time is refused', async () => {
    const { whole, binding, holder, verify } = await bound()
    for (const wrong of [{ audience: 'https://other.example' }, { nonce: 'n-2' }, { now: binding.now - 3600 }])
      expect(await verify(await bindPresentation(whole, { ...binding, ...wrong }, holder))).toBe('key_binding_required')
  })
  test('SDJ-14 a key binding of other disclosures is refused', async () => {
    const { whole, binding, holder, verify } = await bound()
    const fewer = await bindPresentation(
      presentSdJwt(whole, () => false),
      binding,
      holder,
    )
    const keyBinding = fewer.slice(fewer.lastIndexOf('~') + 1)
    expect(await verify(whole + keyBinding)).toBe('key_binding_required')
  })
})
