import { expect, test } from 'vitest'
import { corsHeaders, preflightHeaders } from '../../src/http/cors.js'

const ORIGIN = 'https://app.example'
const allowed = (path: string, origin: string | undefined, origins: readonly string[] = [ORIGIN]) =>
  corsHeaders(path, origin, origins)['access-control-allow-origin']

test.each([
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-protected-resource/agents/agt_x',
  '/agents/agt_x/.well-known/agent-card.json',
  '/agents/agt_x/jwks.json',
  '/log/entries',
  '/vct/a2a-agent-card/1',
])('the public document %s may be read from every origin', (path) => {
  expect(allowed(path, 'https://anyone.example')).toBe('*')
  expect(corsHeaders(path, undefined, [])).toEqual({ 'access-control-allow-origin': '*', 'access-control-expose-headers': 'ETag' })
})

test.each([
  '/oauth/token',
  '/oauth/introspect',
  '/oauth/revoke',
  '/trpc/cards.get',
  '/agents/agt_x/card',
])('%s may be called from configured origins only', (path) => {
  expect(allowed(path, ORIGIN)).toBe(ORIGIN)
  expect(allowed(path, 'https://app.example.evil')).toBeUndefined()
  expect(allowed(path, undefined)).toBeUndefined()
  expect(allowed(path, 'null')).toBeUndefined()
  expect(corsHeaders(path, 'https://other.example', [ORIGIN]).vary).toBe('Origin')
})

test.each(['/', '/witness/add-checkpoint', '/nothing'])('%s is same-origin', (path) => {
  expect(corsHeaders(path, ORIGIN, [ORIGIN])).toEqual({})
})

test('a preflight of a configured origin lists the DPoP headers, and no response allows credentials', () => {
  const methods = ['POST']
  expect(preflightHeaders('/trpc/cards.get', { origin: ORIGIN, origins: [ORIGIN], methods })).toEqual({
    'access-control-allow-origin': ORIGIN,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'DPoP, Content-Type, Idempotency-Key, Authorization, traceparent, trpc-accept',
    'access-control-max-age': '600',
    vary: 'Origin',
  })
  expect(preflightHeaders('/oauth/token', { origin: 'https://other.example', origins: [ORIGIN], methods })).toBeUndefined()
})
