import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemRandom } from '../../../src/lib/random.js'
import { FAMILIES } from '../../../src/oauth/families/store.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { FamilyId, newId } from '../../../src/protocol/ids.js'
import { claimsOf } from '../../claims-of.js'
import { type Registry, startRegistry } from '../../registry.js'
import { codeFor, type PersonWorld, personWorld, redeem, refresh } from '../authorize/person-world.js'
import { exchangeForm, tokenRequest } from '../requests.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }
const day = (days: number) => new Date((registry.clock.now() + days * 86_400) * 1000).toISOString().slice(0, 10)
const month = () => ({ duration: 'until', until: day(20) })
const OCR = () => ({ resource: world.ocr.audience })
const both = () => ({ resource: [registry.issuer, world.ocr.audience], scope: 'discovery:read ocr:read offline_access', prompt: 'consent' })

interface ListedConsent {
  readonly consentId: string
  readonly audience: string
  readonly state: string
}

const consents = async (): Promise<readonly ListedConsent[]> =>
  (await world.person.query<{ items: ListedConsent[] }>('consents.list', {})).items.filter(({ state }) => state === 'valid')

const revokeConsents = async (isChosen: (consent: ListedConsent) => boolean = () => true) => {
  for (const { consentId } of (await consents()).filter(isChosen)) await world.person.mutate('consents.revoke', { consentId })
}

/** The kinds of handles that the newest log entry ends. */
const endedLast = async (): Promise<readonly string[]> => {
  const { asOf } = (await (await registry.fetch('/log/entries?limit=0')).json()) as { asOf: string }
  const { entries } = await (await registry.fetch(`/log/entries?from=${asOf.split('.').at(-1)}&limit=1`)).json()
  return [...new Set<string>(entries[0].ends.map(({ handle }: { handle: string }) => handle.slice(0, 3)))].sort()
}

/** A code with refresh tokens for the registry and the OCR agent, redeemed at the OCR agent. */
const familyOfBoth = async () => (await redeem(registry, world, await codeFor(registry, world, both(), month()), OCR())).body

describe('a family with two consents', () => {
  test('goes on with the second consent when one is revoked, and does not get the first back', async () => {
    const { refresh_token: token } = await familyOfBoth()
    await revokeConsents(({ audience }) => audience === world.ocr.audience)
    expect(await refresh(registry, world, token, OCR())).toMatchObject(invalidGrant)
    await codeFor(registry, world, { ...both(), ...OCR(), scope: 'ocr:read offline_access' }, month())
    expect(await refresh(registry, world, token, OCR())).toMatchObject(invalidGrant)
    expect(await refresh(registry, world, token, { resource: registry.issuer })).toMatchObject({ status: 200 })
  })

  test('ends in the log entry that revokes the last consent', async () => {
    const { refresh_token: token } = await familyOfBoth()
    await revokeConsents()
    expect(await endedLast()).toEqual(['cns', 'fam'])
    await familyOfBoth()
    for (const resource of [registry.issuer, world.ocr.audience])
      expect(await refresh(registry, world, token, { resource })).toMatchObject(invalidGrant)
  })

  test('ends in the commit of a decision that replaces its last consent', async () => {
    const { refresh_token: token } = await familyOfBoth()
    await revokeConsents(({ audience }) => audience === registry.issuer)
    await codeFor(registry, world, { ...OCR(), prompt: 'consent' }, month())
    expect(await endedLast()).toEqual(['cns', 'fam'])
    expect(await refresh(registry, world, token, OCR())).toMatchObject(invalidGrant)
  })
})

describe('a decision that an earlier consent covers', () => {
  const forOcr = (more: object = {}) => ({ ...OCR(), scope: 'ocr:read ocr:admin offline_access', prompt: 'consent', ...more })
  const earlier = async () => (await redeem(registry, world, await codeFor(registry, world, forOcr(), month()))).body

  test('limits its own tokens to the rights that the person ticked', async () => {
    const { refresh_token: first } = await earlier()
    const { body } = await redeem(registry, world, await codeFor(registry, world, forOcr({ scope: 'ocr:read offline_access' }), month()))
    expect(body.scope).toBe('ocr:read')
    expect(await refresh(registry, world, body.refresh_token, { scope: 'ocr:admin' })).toMatchObject({ body: { error: 'invalid_scope' } })
    expect(await refresh(registry, world, first)).toMatchObject({ status: 200, body: { scope: 'ocr:admin ocr:read' } })
  })

  test('limits what its root token is exchanged for, to its audiences and to the rights there', async () => {
    await earlier()
    const rootFor = async (more: object) =>
      (
        await redeem(registry, world, await codeFor(registry, world, { prompt: 'consent', ...more }, month()), {
          resource: registry.issuer,
        })
      ).body
    const exchange = async ({ access_token: token }: { access_token: string }, scope: string) =>
      tokenRequest(registry, world.client, exchangeForm(token, world.ocr.audience, { scope }))
    const withOcr = await rootFor({ scope: 'tokens:exchange ocr:read' })
    expect(await exchange(withOcr, 'ocr:admin')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    expect(await exchange(withOcr, 'ocr:read')).toMatchObject({ status: 200 })
    const withoutOcr = await rootFor({ resource: registry.issuer, scope: 'tokens:exchange' })
    expect(await exchange(withoutOcr, 'ocr:read')).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
  })

  test('limits its own code and refresh tokens to the duration that the person chose, and leaves those of the earlier one', async () => {
    const { refresh_token: first } = await earlier()
    const before = await consents()
    const once = await redeem(registry, world, await codeFor(registry, world, forOcr(), { duration: 'once' }))
    expect(once).toMatchObject({ status: 200, body: { scope: 'ocr:admin ocr:read' } })
    expect(claimsOf(once.body.access_token).exp).toBeLessThanOrEqual(registry.clock.now() + 900)
    const short = await redeem(registry, world, await codeFor(registry, world, forOcr(), { duration: 'until', until: day(2) }))
    expect(await consents()).toEqual(before)
    // This also ends the session of the browser
    registry.clock.advance(3 * 86_400)
    expect(await refresh(registry, world, short.body.refresh_token)).toMatchObject(invalidGrant)
    expect(await refresh(registry, world, first)).toMatchObject({ status: 200 })
  })
})

test('of the families under a consent 50 stand: one more ends the oldest, and codes without refresh tokens end none', async () => {
  const own = await personWorld(registry)
  const asked = { resource: own.ocr.audience, scope: 'ocr:read offline_access', prompt: 'consent' }
  const { refresh_token: newer } = (await redeem(registry, own, await codeFor(registry, own, asked, month()))).body
  const families = registry.storage.collection(FAMILIES)
  const family = await families.get(FamilyId.parse(newer.split('.')[0]))
  if (!family) throw new Error('no family')
  // The page of a person is too slow for 49 more
  const older = (seconds: number) => ({
    ...family,
    id: newId(systemRandom, 'fam'),
    handle: newHandle(systemRandom, 'fam'),
    createdAt: family.createdAt - seconds,
  })
  const oldest = older(2)
  for (const one of [oldest, ...Array.from({ length: 48 }, () => older(1))]) await families.insert(one)
  const states = async () => {
    const list = (
      await own.person.query<{ items: { familyId: string; state: string }[] }>('families.list', {
        consentId: family.consentIds?.[0],
        limit: 100,
      })
    ).items
    const valid = list.filter(({ state }) => state === 'valid').map(({ familyId }) => familyId)
    return [valid.length, valid.includes(oldest.id)]
  }
  expect(await states()).toEqual([50, true])
  await codeFor(registry, own, { ...asked, scope: 'ocr:read' }, month())
  expect(await states()).toEqual([50, true])
  await codeFor(registry, own, asked, month())
  expect(await states()).toEqual([50, false])
  expect(await refresh(registry, own, newer)).toMatchObject({ status: 200 })
})
