import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuse } from '../../src/errors.js'
import { findToken } from '../../src/oauth/find-token.js'
import { post, withAssertion } from '../oauth.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

test('for the audience, the client, and the administrators of the client’s organisation; to others the same no as for nonsense', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const stranger = await registry.agent()
  for (const one of [pair.ocr, pair.planner, pair.globex, registry.operator])
    expect(await one.introspect(accessToken)).toMatchObject({ active: true, client_id: pair.planner.agentId })
  for (const one of [stranger, pair.acme]) expect(await one.introspect(accessToken)).toEqual({ active: false })
  for (const nonsense of ['x', 'a.b.c', 'x'.repeat(8000)]) expect(await pair.ocr.introspect(nonsense)).toEqual({ active: false })
})

test('without client authentication it answers 401, without a token invalid_request', async () => {
  expect((await post(registry, '/oauth/introspect', { token: 'x' })).status).toBe(401)
  expect((await post(registry, '/oauth/introspect', await withAssertion(registry, pair.ocr, {}))).body.error).toBe('invalid_request')
})

test('an expired token is inactive', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  registry.clock.advance(301)
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('revocation: one’s own token only; unknown and foreign ones are answered alike and stay', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  for (const token of [accessToken, 'nonsense']) {
    const answer = await post(registry, '/oauth/revoke', await withAssertion(registry, pair.ocr, { token }))
    expect([answer.status, answer.body]).toEqual([200, {}])
  }
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  await pair.planner.revoke(accessToken)
  await pair.planner.revoke(accessToken)
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('an administrator ends a token by its id; a stranger finds none', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const { jti } = await pair.planner.introspect(accessToken)
  await expect(pair.acme.mutate('tokens.revoke', { tokenId: jti })).rejects.toMatchObject({ reason: 'not_found' })
  await pair.globex.mutate('tokens.revoke', { tokenId: jti })
  expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
})

test('a token whose key cannot be looked up now is not taken for an unknown one', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const tokenKeys = async () => refuse('unavailable', 'the storage is away')
  const found = findToken({ tokenKeys, issuer: registry.issuer }, accessToken, registry.clock.now())
  await expect(found).rejects.toMatchObject({ reason: 'unavailable' })
})
