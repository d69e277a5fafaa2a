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
  expect((await (await fetch(registrationClientUri, { headers })).json()).client_name).toBe('Worker')
  const agent = createAgent({ issuer, clientId, signer })
  expect(await agent.tasks.create({ description: 'work' })).toMatchObject({ taskId: expect.stringMatching(/^tsk_/) })
  await expect(registerClient({ issuer, initialAccessToken, name: 'Another', signer })).rejects.toMatchObject({
    reason: 'invalid_token',
    status: 401,
  })
})
