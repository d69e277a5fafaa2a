// The commands for protected resources, run as users run them, and those that take the URI of one.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CredenceError } from '../../../src/client/index.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { newCommandLine } from '../command-line.js'

let registry: Registry
let line: Awaited<ReturnType<typeof newCommandLine>>
let acme: Actor
let planner: string
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  line = await newCommandLine(registry)
  acme = await registry.organisation('Acme')
  await line.administrator('default', acme)
  await line.administrator('operator', registry.operator, registry.operator.orgId, 'operator')
  const { agentId, registrationToken } = await line.json('agent', 'register', 'planner')
  await line.json('agent', 'confirm', agentId, '--registry', registry.issuer, '--token', registrationToken, '--profile', 'planner')
  planner = agentId
})
afterAll(async () => {
  await line[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const register = (uri: string, name: string, ...more: readonly string[]) =>
  line.json('resource', 'register', uri, '--name', name, '--scope', 'files:read=Read files', ...more)

test('register, list, show and change take settings as options, and name a resource by its URI, name or id', async () => {
  const uri = 'http://127.0.0.1:9/files'
  const more = ['--scope', 'files:write=Change = add files', '--scope-seconds', 'files:write=60', '--description', 'all files']
  const policy = ['--policy', 'open', '--policy-scope', 'files:read', '--policy-organisation', 'Acme', '--policy-seconds', '3600']
  const registered = await register(uri, 'Files', ...more, ...policy, '--operator-agent', 'planner')
  expect(registered).toMatchObject({
    uri,
    state: 'unproved',
    scopes: [
      { scope: 'files:read', words: 'Read files', seconds: 300 },
      { scope: 'files:write', words: 'Change = add files', seconds: 60 },
    ],
    policy: { mode: 'open', scopes: ['files:read'], organisations: [acme.orgId], maxSeconds: 3600 },
    operatorAgentId: planner,
    document: { resource: uri, credence_resource: registered.resourceId },
  })
  const { resourceId } = registered
  for (const named of [uri, 'Files', resourceId]) expect(await line.json('resource', 'show', named)).toMatchObject({ resourceId })
  const list = (await line.run(['resource', 'list'])).out
  expect(list).toMatch(/^id\turi\tname\tstate\tscopes\tintroductions\tbearer\tregistered\toperator agent\torganisation\n/)
  expect(list).toContain(`${resourceId}\t${uri}\tFiles\tunproved\t`)
  await line.json('resource', 'change', 'Files', '--description', '', '--operator-agent', '', '--bearer', 'allowed')
  const changed = await line.json('resource', 'show', uri)
  expect(changed).toMatchObject({ bearer: 'allowed', policy: { mode: 'open' } })
  expect(changed).not.toHaveProperty('description')
  expect(changed).not.toHaveProperty('operatorAgentId')
})

test.each([
  ['no scope', ['register', 'https://files.example', '--name', 'x'], '--name and at least one --scope'],
  ['a scope without words', ['register', 'https://files.example', '--name', 'x', '--scope', 'read'], 'expected --scope <scope>=<words>'],
  [
    'a lifetime of a scope that is not there',
    ['register', 'https://files.example', '--name', 'x', '--scope', 'a=b', '--scope-seconds', 'c=60'],
    'no --scope names this scope',
  ],
  ['a part of a policy', ['change', `res_${'A'.repeat(22)}`, '--policy-scope', 'a'], 'need --policy'],
  ['no change', ['change', `res_${'A'.repeat(22)}`], 'nothing to change'],
  ['an unknown name', ['show', 'nothing'], 'no resource is named "nothing"'],
])('%s is refused before anything is sent', async (_, args, text) => {
  const { code, err } = await line.run(['resource', ...args])
  expect([code, err]).toEqual([2, expect.stringContaining(text)])
})

test('prove reads the document at the server; confirm is for operators', async () => {
  let document = {}
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(document)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
  document = (await register(uri, 'Proved')).document
  expect(await line.json('resource', 'prove', 'Proved')).toMatchObject({ state: 'proved' })
  server.close()
  const { resourceId } = await register('http://127.0.0.1:9/unreachable', 'Unreachable')
  expect((await line.run(['resource', 'confirm', resourceId])).err).toContain('forbidden')
  expect(await line.json('resource', 'confirm', resourceId, '--profile', 'operator')).toMatchObject({ state: 'proved' })
})

test('agent change --add-call and introduction request take the URI; revoke says first what ends', async () => {
  const uri = 'http://127.0.0.1:9/shared'
  const { resourceId } = await register(uri, 'Shared', '--policy', 'open')
  await line.json('agent', 'change', 'planner', '--add-call', `${uri}=files:read`)
  expect((await line.json('agent', 'show', 'planner')).ceiling.rights).toContainEqual({ audience: uri, scope: 'files:read' })
  for (const args of [
    ['agent', 'change', 'planner', '--add-call', 'Shared=files:read'],
    ['introduction', 'request', 'Shared', '--scope', 'files:read', '--purpose', 'to read'],
  ])
    expect((await line.run(args)).err).toMatch(/no agent is named "Shared".*a resource is named by its URI here/)
  const request = ['introduction', 'request', uri, '--scope', 'files:read', '--purpose', 'to read', '--profile', 'planner']
  expect(await line.json(...request)).toMatchObject({ to: resourceId, state: 'granted' })
  expect(await line.json('resource', 'revoke', uri, '--dry-run')).toMatchObject({
    dryRun: true,
    revokes: expect.stringContaining(`resource Shared (${uri}, ${resourceId}, unproved)`),
    endsWithIt: { introductions: 1 },
  })
  expect((await line.run(['resource', 'revoke', uri])).err).toContain('add --yes')
  await line.json('resource', 'revoke', 'Shared', '--yes', '--reason', 'no_longer_needed')
  expect(await line.json('resource', 'show', resourceId)).toMatchObject({ state: 'revoked' })
  expect((await line.run(['resource', 'show', uri])).err).toContain('no resource is named')
})

test('a token for a marked scope waits in `approval list` and is narrowed by `approval approve --scope`; webhooks are set, listed and removed', async () => {
  const uri = 'http://127.0.0.1:9/approved'
  const { scopes } = await register(uri, 'Approved', '--policy', 'open', '--scope', 'mail=Send mail', '--scope-approval', 'mail')
  expect(scopes[1]).toEqual({ scope: 'mail', words: 'Send mail', seconds: 300, approval: 'organisation' })
  const client = await registry.agent({ ceiling: { rights: ['mail', 'files:read'].map((scope) => ({ audience: uri, scope })) } })
  const refusal = await client.exchange({ audience: uri }).catch((error: unknown) => error)
  if (!(refusal instanceof CredenceError) || !refusal.accessRequest) throw refusal
  const { approvalId } = await client.approvals.request(refusal.accessRequest, 'to send')
  const list = (await line.run(['approval', 'list'])).out
  expect(list).toMatch(/^id\tkind\tstate\tfrom\tto\tscopes\tbecause\trisk\trequested\texpires\tpurpose\tfromId\ttoId\n/)
  expect(list).toContain(`${approvalId}\ttoken\tpending\t`)
  expect(await line.json('approval', 'show', approvalId)).toMatchObject({
    words: expect.arrayContaining([{ scope: 'mail', words: 'Send mail' }]),
  })
  expect(await line.json('approval', 'approve', approvalId, '--scope', 'mail')).toMatchObject({ approved: { scopes: ['mail'] } })
  expect((await client.exchange({ audience: uri, scope: 'mail', approvalId })).scope).toBe('mail')
  const { webhookId } = await line.json('webhook', 'set', 'http://127.0.0.1:9/hook', '--event', 'approval.requested')
  expect((await line.run(['webhook', 'list'])).out).toContain(`${webhookId}\thttp://127.0.0.1:9/hook\ton\tapproval.requested\t`)
  expect(await line.json('webhook', 'remove', webhookId, '--yes')).toEqual({ webhookId })
})
