import { expect, test } from 'vitest'
import { refuse } from '../../../src/errors.js'
import { guardMcp } from '../../../src/verifier/index.js'
import type { Needs } from '../../../src/verifier/needs.js'
import type { Verified } from '../../../src/verifier/verify-request.js'
import { reasonOf } from '../../stories/actors.js'

const CLAIMS = { aud: 'https://notes.example/mcp', client_id: 'agt_client', scope: 'notes:read notes:write', exp: 300 }
const verified = { claims: CLAIMS, accessToken: 'the token' } as unknown as Verified
const NEEDS = { scope: 'notes:read', tools: { 'write-note': 'notes:write', constructor: 'notes:write' } }

/** Sends a message through the guard. The verifier records what the request needs. */
async function send(
  body: unknown,
  { method = 'POST', needs = NEEDS as Parameters<typeof guardMcp>[1], isValid = true, resources = undefined as string[] | undefined } = {},
) {
  const restricted = { ...verified, claims: { ...CLAIMS, allowed_resources: resources } } as unknown as Verified
  const needed: Needs[] = []
  const counted: boolean[] = []
  const verifier = {
    audience: CLAIMS.aud,
    allowBearer: true,
    verify: async (_: object, need: Needs = {}, { isCall = true } = {}) => {
      needed.push(need)
      counted.push(isCall)
      return !isValid ? refuse('invalid_token', 'refused') : resources ? restricted : verified
    },
    watch: () => () => undefined,
    onBug: (error: unknown) => {
      throw error
    },
  }
  const sent: { status?: number; body?: string } = {}
  const response = {
    writeHead: (status: number) => ({ end: (text: string) => Object.assign(sent, { status, body: text }) }),
    once: () => undefined,
  }
  const request: Parameters<ReturnType<typeof guardMcp>>[0] = { method, url: '/mcp', headers: { authorization: 'Bearer x' }, body }
  let isPassedOn = false
  await guardMcp(verifier, needs)(request, response, () => {
    isPassedOn = true
  })
  return { needed, counted, sent, isPassedOn, auth: request.auth }
}
const call = (name: unknown) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } })

test('a call of a tool requires the scope of the tool and the tool, any other message the scope of the server', async () => {
  expect((await send(call('write-note'))).needed).toEqual([{ scope: 'notes:write', tool: 'write-note' }])
  expect((await send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })).needed).toEqual([{ scope: 'notes:read' }])
  expect((await send(undefined, { method: 'GET' })).needed).toEqual([{ scope: 'notes:read' }])
  expect((await send(call('any-tool'), { needs: { scope: 'notes:read' } })).needed).toEqual([{ scope: 'notes:read', tool: 'any-tool' }])
})

test('a tool gets the verified request as authInfo', async () => {
  const { isPassedOn, auth } = await send(call('write-note'))
  expect(isPassedOn).toBe(true)
  expect(auth).toEqual({
    token: 'the token',
    clientId: 'agt_client',
    scopes: ['notes:read', 'notes:write'],
    expiresAt: 300,
    resource: new URL('https://notes.example/mcp'),
    extra: { credence: verified },
  })
})

test.each([
  ['a batch, in which a call of a tool could hide', [call('write-note')]],
  ['a body that was not parsed', undefined],
  ['text', 'tools/call'],
  ['a tool without an entry', call('delete-all')],
  ['a tool that is named like a member of every object', call('toString')],
  ['a tool without a name', call(undefined)],
  ['a call without parameters', { jsonrpc: '2.0', id: 1, method: 'tools/call' }],
])('%s is refused with 400, after the token was verified', async (_, body) => {
  const { sent, isPassedOn, needed } = await send(body)
  expect([sent.status, isPassedOn, needed.length]).toEqual([400, false, 1])
  expect((await send(body, { isValid: false })).sent.status, 'an anonymous caller learns nothing').toBe(401)
})

test('a token that is restricted to resources reads these only', async () => {
  const read = (uri: unknown, method = 'resources/read') => ({ jsonrpc: '2.0', id: 1, method, params: { uri } })
  const resources = ['docs/public']
  const statusOf = async (body: object) => (await send(body, { resources })).sent.status
  expect((await send(read('docs/public/a'), { resources })).isPassedOn).toBe(true)
  expect(await statusOf(read('docs/secret'))).toBe(403)
  expect(await statusOf(read('docs/public/../secret', 'resources/subscribe'))).toBe(403)
  expect(await statusOf(read(undefined))).toBe(400)
  expect((await send(read('file:///any'))).isPassedOn).toBe(true)
})

test('a missing or bad scope and a misspelt option are refused when the guard is created', async () => {
  for (const needs of [{}, { scope: '' }, { scope: 'a b' }, { scope: 'a', tools: { x: '' } }, { scope: 'a', tool: {} }])
    expect(await reasonOf(send(undefined, { needs: needs as never }))).toBe('bad_input')
})

test.each([
  [true, 'tools/call'],
  [true, 'resources/read'],
  [true, 'resources/subscribe'],
  [true, 'prompts/get'],
  [true, 'completion/complete'],
  [true, 'a-method-that-is-not-known'],
  [true, 'x/../list'],
  [false, 'initialize'],
  [false, 'ping'],
  [false, 'notifications/initialized'],
  [false, 'tools/list'],
  [false, 'resources/templates/list'],
  [false, undefined],
])('for a token that limits calls it is %s that %s is a call', async (isCall, method) => {
  const params = { name: 'write-note', uri: 'file:///a' }
  expect((await send({ jsonrpc: '2.0', id: 1, method, params })).counted).toEqual([isCall])
  expect((await send(undefined, { method: 'GET' })).counted).toEqual([false])
})
