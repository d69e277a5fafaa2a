// The key commands, run as users run them. No command drops or overwrites a private key.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publicKeyOf } from '../../../src/credentials/jose/sign.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'
import { resultOf } from '../command-line.js'

let registry: Registry
let folder: Awaited<ReturnType<typeof tempFolder>>
let orgId: string
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  folder = await tempFolder()
  const acme = await registry.organisation('Acme')
  orgId = acme.orgId
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  await run('login', '--registry', registry.issuer, '--code', code, '--name', 'Ada')
})
afterAll(async () => {
  await folder?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
})

const run = (...args: readonly string[]) => resultOf([...args, '--home', folder.path])
const kept = async () => (await readdir(join(folder.path, 'keys'))).map((file) => file.replace('.jwk', ''))
const profile = async (name: string) => JSON.parse(await readFile(join(folder.path, `${name}.json`), 'utf8'))
const states = async (owner: string) => (await run('key', 'list', owner)).items.map(({ state }: { state: string }) => state).sort()

test('key rotate replaces the key of the profile, keeps the old one, and the profile goes on working', async () => {
  const before = publicKeyOf((await profile('default')).privateJwk).jkt
  const rotated = await run('key', 'rotate', '--overlap', '10m')
  const after = publicKeyOf((await profile('default')).privateJwk).jkt
  expect([rotated.jkt, after === before]).toEqual([after, false])
  expect(await kept()).toEqual(expect.arrayContaining([before, after]))
  expect((await stat(rotated.keyFile)).mode & 0o777).toBe(0o600)
  const { clientId } = await run('whoami')
  expect(await states(clientId)).toEqual(['active', 'retired'])
  const repeated = await run('key', 'rotate', '--jwk', rotated.keyFile).catch(({ stderr }) => stderr)
  expect(repeated, 'the key is in use already').toContain('conflict')
})

test('a lost key: key code prints a code, login redeems it on the other machine, and the old keys are revoked', async () => {
  const { agentId, registrationToken } = await run('agent', 'register', 'ocr')
  await run('agent', 'confirm', agentId, '--registry', registry.issuer, '--token', registrationToken, '--profile', 'ocr')
  const { code } = await run('key', 'code', agentId, '--revoke-others')
  const redeemed = await run('login', '--registry', registry.issuer, '--code', code, '--profile', 'ocr-elsewhere')
  expect(redeemed).toMatchObject({ clientId: agentId, revokedCount: 1 })
  expect(await states(agentId)).toEqual(['active', 'revoked'])
  await run('key', 'rotate', '--profile', 'ocr-elsewhere')
  await expect(run('key', 'rotate', '--profile', 'ocr')).rejects.toMatchObject({ stderr: expect.stringContaining('invalid_client') })
})

test('key withdraw-codes asks, and makes an open code void', async () => {
  const { agentId, registrationToken } = await run('agent', 'register', 'scanner')
  await run('agent', 'confirm', agentId, '--registry', registry.issuer, '--token', registrationToken, '--profile', 'scanner')
  const { code } = await run('key', 'code', agentId)
  await expect(run('key', 'withdraw-codes', 'scanner')).rejects.toMatchObject({ code: 2 })
  expect(await run('key', 'withdraw-codes', 'scanner', '--dry-run')).toEqual({
    dryRun: true,
    revokes: `all open one-time codes of ${agentId}, and its registration access token if it registered itself`,
  })
  expect(await run('key', 'withdraw-codes', 'scanner', '--yes')).toEqual({ clientId: agentId })
  await expect(run('login', '--registry', registry.issuer, '--code', code, '--profile', 'late')).rejects.toMatchObject({
    stderr: expect.stringContaining('code_invalid'),
  })
})

test('key register keeps the private half of every key, and a second publisher key does not displace the first', async () => {
  const first = await run('key', 'register', orgId)
  const second = await run('key', 'register', orgId)
  const { clientId } = await run('whoami')
  const client = await run('key', 'register', clientId, '--use', 'client')
  expect(await kept()).toEqual(expect.arrayContaining([first.jkt, second.jkt, client.jkt]))
  expect(publicKeyOf((await profile('default')).publisherJwk).jkt).toBe(second.jkt)
  const third = await run('key', 'rotate', orgId)
  expect(third).toMatchObject({ retiredKeyId: second.keyId })
  expect(publicKeyOf((await profile('default')).publisherJwk).jkt).toBe(third.jkt)
  expect(await states(orgId)).toEqual(['active', 'active', 'retired'])
})
