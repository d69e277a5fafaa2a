import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuse } from '../../src/errors.js'
import { findToken } from '../../src/oauth/verification/find-token.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'
import { formWithAssertion, postForm } from './requests.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

test('the audience, the client and administrators of its organisation see a token as active; others get the same response as for an invalid token', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const unrelated = await registry.agent()
  for (const actor of [pair.ocr, pair.planner, pair.globex, registry.operator])
    expect(await actor.introspect(accessToken)).toMatchObject({ active: true, client_id: pair.planner.agentId })
  for (const actor of [unrelated, pair.acme]) expect(await actor.introspect(accessToken)).toEqual({ active: false })
  for (const invalid of ['x', 'a.b.c', 'x'.repeat(8000)]) expect(await pair.ocr.introspect(invalid)).toEqual({ active: false })
})

test('a request without client authentication gets 401, and one without a token gets invalid_request', async () => {
  expect((await postForm(registry, '/oauth/introspect', { token: 'x' })).status).toBe(401)
  expect((await postForm(registry, '/oauth/introspect', await formWithAssertion(registry, pair.ocr, {}))).body.error).toBe(
    'invalid_request',
  )
})

test('an expired token is inactive', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  registry.clock.advance(301)
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('a client revokes its own token; a foreign and an unknown one get the same response and nothing changes', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  for (const token of [accessToken, 'unknown']) {
    const response = await postForm(registry, '/oauth/revoke', await formWithAssertion(registry, pair.ocr, { token }))
    expect([response.status, response.body]).toEqual([200, {}])
  }
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  await pair.planner.revoke(accessToken)
  await pair.planner.revoke(accessToken)
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('an administrator of the client’s organisation revokes a token by its id; one of another organisation gets not_found', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const { jti } = await pair.planner.introspect(accessToken)
  await expect(pair.acme.mutate('tokens.revoke', { tokenId: jti })).rejects.toMatchObject({ reason: 'not_found' })
  await pair.globex.mutate('tokens.revoke', { tokenId: jti })
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('findToken throws a refusal to read the keys instead of returning undefined', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const tokenKeys = async () => refuse('unavailable', 'the store is unavailable')
  const found = findToken({ tokenKeys, issuer: registry.issuer }, accessToken, registry.clock.now())
  await expect(found).rejects.toMatchObject({ reason: 'unavailable' })
})
