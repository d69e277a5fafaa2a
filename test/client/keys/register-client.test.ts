import { expect, test } from 'vitest'
import { createAgent, newEs256Signer, registerClient } from '../../../src/client/index.js'
import { issueGrant } from '../../conformance/registration.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'

test('a program registers itself as an agent with an initial access token, and acts with its key', async () => {
  await using registry = await startRegistry({ servers: 1, clock: runningClock(), registration: 'token' })
  const acme = await registry.organisation('Acme')
  const { initialAccessToken } = await issueGrant(registry, acme, { uses: 1 })
  const signer = await newEs256Signer()
  const { issuer } = registry
  const { clientId, registrationClientUri, registrationAccessToken } = await registerClient({
    issuer,
    initialAccessToken,
    name: 'Worker',
    signer,
    scope: 'tasks:write tokens:exchange',
  })
  expect(registrationClientUri).toBe(`${issuer}/oauth/register/${clientId}`)
  const headers = { authorization: `Bearer ${registrationAccessToken}` }
  expect(await (await fetch(registrationClientUri, { headers })).json()).toMatchObject({
    client_name: 'Worker',
    grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
  })
  const agent = createAgent({ issuer, clientId, signer })
  expect(await agent.tasks.create({ description: 'work' })).toMatchObject({ taskId: expect.stringMatching(/^tsk_/) })
  await expect(registerClient({ issuer, initialAccessToken, name: 'Another', signer })).rejects.toMatchObject({
    reason: 'invalid_token',
    status: 401,
  })
})

test('an agent that registers itself calls a peer with fetchAs; without the grant type for it the refusal names that', async () => {
  await using registry = await startRegistry({ servers: 1, clock: runningClock(), registration: 'token' })
  const acme = await registry.organisation('Acme')
  const { issuer } = registry
  const uri = 'http://127.0.0.1:9/mcp'
  await acme.mutate('resources.register', { uri, name: 'R', scopes: [{ scope: 'r:read', words: 'Read' }], policy: { mode: 'open' } })
  const registered = async (name: string, grant: object) => {
    const { initialAccessToken } = await issueGrant(registry, acme, { ceiling: { rights: [{ audience: uri, scope: 'r:read' }] }, ...grant })
    const signer = await newEs256Signer()
    const { clientId } = await registerClient({ issuer, initialAccessToken, name, signer })
    // The peer answers with the token that it received
    const fetch: typeof globalThis.fetch = async (input, init) =>
      input === uri ? new Response(new Headers(init?.headers).get('authorization')) : globalThis.fetch(input, init)
    return createAgent({ issuer, clientId, signer, fetch })
  }
  const worker = await registered('Worker', {})
  expect(await (await worker.fetchAs({ audience: uri })(uri)).text()).toMatch(/^DPoP ey/)
  const other = await registered('Other', { grantTypes: ['client_credentials'] })
  await expect(other.fetchAs({ audience: uri })(uri)).rejects.toMatchObject({
    reason: 'unauthorized_client',
    message: expect.stringMatching(/did not register the grant type "urn:ietf:params:oauth:grant-type:token-exchange"/),
  })
})
