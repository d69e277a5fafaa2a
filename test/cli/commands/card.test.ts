import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newProfiles } from '../../../src/cli/profile.js'
import { confirmAgent } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { aCard, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { resultOf } from '../command-line.js'

test('card import takes a file, a URL, a site and a catalog; card freshness compares', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  const folder = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const { agentId, registrationToken } = await registry.registration()
  const privateJwk = await newPrivateJwk('ES256')
  await confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer: await signerFromJwk(privateJwk) })
  newProfiles(folder).write('default', { registry: registry.issuer, clientId: agentId, privateJwk: { ...privateJwk } })
  const server = createServer((request, response) => {
    const file = Object.hasOwn(files, request.url ?? '') ? files[request.url ?? ''] : undefined
    response.writeHead(file === undefined ? 404 : 200).end(JSON.stringify(file))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const card = aCard(registry, { supportedInterfaces: [{ url: `${site}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
  const entries = ['a', 'b'].map((name) => ({
    identifier: `urn:air:acme.com:agents:${name}`,
    type: 'application/a2a-agent-card+json',
    data: { ...card, name },
  }))
  const files: Record<string, unknown> = {
    '/card.json': card,
    '/.well-known/agent-card.json': card,
    '/.well-known/ai-catalog.json': { entries },
  }
  await writeFile(join(folder, 'card.json'), JSON.stringify(card))
  const run = (...args: readonly string[]) => resultOf(['card', ...args, '--home', folder])
  expect(await run('import', agentId, join(folder, 'card.json'))).toMatchObject({ state: 'accepted', version: 1 })
  expect(await run('import', agentId, `${site}/card.json`)).toMatchObject({ version: 1, source: `${site}/card.json` })
  expect(await run('import', agentId, site)).toMatchObject({ source: `${site}/.well-known/agent-card.json` })
  expect(await run('freshness', agentId)).toMatchObject({ card: 'same', endpoint: 'reachable' })
  expect(await run('import', agentId, site, '--catalog', '--entry', 'urn:air:acme.com:agents:b')).toMatchObject({ version: 2 })
  await expect(run('import', agentId, site, '--catalog')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('urn:air:acme.com:agents:b'),
  })
  await expect(run('import', agentId, site, '--entry', 'x')).rejects.toMatchObject({
    stderr: expect.stringContaining('--entry has no effect'),
  })
  server.close()
  await rm(folder, { recursive: true })
})
