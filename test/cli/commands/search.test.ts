import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newProfiles } from '../../../src/cli/profile.js'
import { joinRegistry } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { aCard, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { resultOf } from '../command-line.js'

test('search takes a sentence and each filter, suggest completes a word, and a misspelt option is refused', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme })
  await agent.publish({ card: aCard(registry, { name: 'Ocelot' }) })
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
  const privateJwk = await newPrivateJwk('ES256')
  const signer = await signerFromJwk(privateJwk)
  const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name: 'at a command line', signer })
  newProfiles(home).write('default', { registry: registry.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const run = (...args: readonly string[]) => resultOf([...args, '--home', home])
  const matching =
    `--tag OCR --organisation ${acme.orgId} --verdict signed --mode image/png --binding JSONRPC --protocol-version 1.0 --since 1`.split(' ')
  const { hits, facets } = await run(
    'search',
    'I need someone to read scanned pages',
    ...matching,
    '--facet',
    'verdicts',
    '--sort',
    'newest',
  )
  expect(hits.map(({ agentId }: { agentId: string }) => agentId)).toEqual([agent.agentId])
  expect(facets).toEqual({ verdicts: [{ value: 'signed', count: 1 }] })
  for (const other of ['--namespace example.com', '--capability streaming', '--extension urn:none', '--skill none', '--verdict verified'])
    expect((await run('search', 'scanned', ...other.split(' '))).hits).toEqual([])
  expect(await run('suggest', 'scanned docu')).toEqual({ suggestions: ['scanned documents'] })
  expect(await run('suggest', 'ocelot-docu')).toEqual({ suggestions: ['ocelot-documents'] })
  for (const text of ['documents ', 'documents the']) expect(await run('suggest', text)).toEqual({ suggestions: [] })
  await expect(run('search', 'x', '--verdikt', 'signed')).rejects.toThrow("unknown option '--verdikt'")
  await expect(run('search', 'x', '--facet', 'colours')).rejects.toThrow('facets.0')
  await rm(home, { recursive: true })
})
