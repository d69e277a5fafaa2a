import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { newProfiles } from '../../../src/cli/profile.js'
import { joinRegistry } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { parseConfig } from '../../../src/server/config.js'
import { registerAgent } from '../../conformance/registration.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'

test('credence registration issues, lists and revokes initial access tokens', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1, registration: 'token' })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const { orgId, mutate } = await registry.organisation('Acme')
  const { code } = await mutate<{ code: string }>('members.invite', { orgId, role: 'member' })
  const privateJwk = await newPrivateJwk('ES256')
  const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name: 'Ada', signer: await signerFromJwk(privateJwk) })
  newProfiles(home).write('default', { registry: registry.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const run = async (...args: readonly string[]) =>
    JSON.parse((await promisify(execFile)(process.execPath, ['dist/cli/main.js', ...args, '--home', home, '--json'])).stdout)
  const issued = await run(
    ...['registration', 'issue', '--for', '1h', '--uses', '3', '--grant-type', 'client_credentials', '--grant-type', 'token-exchange'],
    ...['--scope', 'discovery:read'],
  )
  expect(issued).toEqual({
    registrationId: expect.stringMatching(/^reg_/),
    initialAccessToken: expect.stringContaining(issued.registrationId),
    registrationEndpoint: `${registry.issuer}/oauth/register`,
    expiresAt: expect.any(Number),
  })
  const registered = await registerAgent(registry, issued.initialAccessToken, { scope: 'discovery:read' })
  expect(registered.status).toBe(201)
  const { items } = await run('registration', 'list')
  expect(items).toMatchObject([{ registrationId: issued.registrationId, state: 'usable', uses: 3, usesLeft: 2, issuedBy: memberId }])
  await expect(run('registration', 'revoke', issued.registrationId)).rejects.toMatchObject({ code: 2 })
  expect(await run('registration', 'revoke', issued.registrationId, '--dry-run')).toEqual({
    dryRun: true,
    revokes: `initial access token ${issued.registrationId} (usable, 2 of 3 uses left)`,
    endsWithIt: { 'clients that were registered with it': 'none; they stay' },
  })
  expect(await run('registration', 'revoke', issued.registrationId, '--yes')).toEqual({ registrationId: issued.registrationId })
  expect((await registerAgent(registry, issued.initialAccessToken)).status).toBe(401)
  await expect(run('registration', 'issue', '--for', '1h')).rejects.toMatchObject({ code: 2 })
  await rm(home, { recursive: true })
})

test('the setting registration is closed by default, and open only in development mode', () => {
  const dev = { dev: true }
  expect([parseConfig(dev).registration, parseConfig({ ...dev, registration: 'open' }).registration]).toEqual(['closed', 'open'])
  const production = { issuer: 'https://registry.example', witness: false }
  expect(parseConfig({ ...production, registration: 'token' }).registration).toBe('token')
  for (const registration of ['open', 'statement', 'Token'])
    expect(() => parseConfig({ ...production, registration })).toThrow(/configuration \/registration/)
})
