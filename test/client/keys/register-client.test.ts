import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createAgent, newEs256Signer, registerClient } from '../../../src/client/index.js'
import { issueGrant } from '../../conformance/registration.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'

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

test('the program of docs/REGISTRATION.md registers once and calls a resource; without the grant type for it the refusal names that', async () => {
  await using registry = await startRegistry({ servers: 1, clock: runningClock(), registration: 'token' })
  await using folder = await tempFolder()
  const acme = await registry.organisation('Acme')
  const { issuer } = registry
  // The resource answers with the scheme of the token that it received
  const server = createServer(({ headers }, response) => response.end(headers.authorization?.split(' ')[0])).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  const scopes = [{ scope: 'notes:read', words: 'Read' }]
  await acme.mutate('resources.register', { uri, name: 'Notes', scopes, policy: { mode: 'open' } })
  const ceiling = { rights: [{ audience: uri, scope: 'notes:read' }] }
  const { initialAccessToken } = await issueGrant(registry, acme, { ceiling, uses: 1 })

  const [, program = ''] = /^```js\n(\/\/ worker\.mjs\n.*?)^```$/ms.exec(await readFile('docs/REGISTRATION.md', 'utf8')) ?? []
  await mkdir(join(folder.path, 'node_modules'))
  await symlink(process.cwd(), join(folder.path, 'node_modules/credence'))
  await writeFile(
    join(folder.path, 'worker.mjs'),
    program.replace('https://registry.example', issuer).replace('https://notes.example/mcp', uri),
  )
  const work = async (env: Record<string, string>) =>
    (await promisify(execFile)(process.execPath, ['worker.mjs'], { cwd: folder.path, env })).stdout
  expect(await work({ INITIAL_ACCESS_TOKEN: initialAccessToken })).toBe('DPoP\n')
  expect(await work({})).toBe('DPoP\n')
  server.close()

  const narrow = await issueGrant(registry, acme, { ceiling, grantTypes: ['client_credentials'] })
  const signer = await newEs256Signer()
  const { clientId } = await registerClient({ issuer, initialAccessToken: narrow.initialAccessToken, name: 'Other', signer })
  await expect(createAgent({ issuer, clientId, signer }).fetchAs({ audience: uri })(uri)).rejects.toMatchObject({
    reason: 'unauthorized_client',
    message: expect.stringMatching(/did not register the grant type "urn:ietf:params:oauth:grant-type:token-exchange"/),
  })
})
