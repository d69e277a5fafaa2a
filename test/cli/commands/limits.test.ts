import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newProfiles } from '../../../src/cli/profile.js'
import { joinRegistry } from '../../../src/client/index.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { resultOf } from '../command-line.js'

test('credence limits set narrows limits by name, and show and usage print them', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1, limits: 'on' })
  const home = await mkdtemp(join(tmpdir(), 'credence-home-'))
  const { orgId, mutate } = await registry.organisation('Acme')
  const { code } = await mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  const privateJwk = await newPrivateJwk('ES256')
  const { memberId } = await joinRegistry({
    issuer: registry.issuer,
    code,
    name: 'at a command line',
    signer: await signerFromJwk(privateJwk),
  })
  newProfiles(home).write('default', { registry: registry.issuer, clientId: memberId, privateJwk: { ...privateJwk } })
  const limits = (...args: readonly string[]) => resultOf(['limits', ...args, '--home', home])
  const narrowed = { organisation: orgId, limits: { openTasks: 5, agents: 7 } }
  expect(await limits('set', 'openTasks=5', 'agents=7')).toMatchObject(narrowed)
  expect(await limits('show')).toMatchObject(narrowed)
  expect(await limits('usage')).toMatchObject({ ...narrowed, agents: 0, items: [] })
  await expect(limits('set', 'openTasks')).rejects.toMatchObject({ stderr: expect.stringContaining('expected <name>=<number>') })
  await rm(home, { recursive: true })
})
