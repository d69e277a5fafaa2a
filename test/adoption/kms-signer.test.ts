import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
// @ts-expect-error the example is JavaScript
import { kmsSigner } from '../../examples/kms-signer/kms-signer.js'
import { startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { tempFolder } from '../storage/open-store.js'
import { reasonOf } from '../stories/actors.js'
import { run } from './process.js'

const EXAMPLE = resolve(import.meta.dirname, '../../examples/kms-signer')

test('an agent whose key is in another process confirms its registration, acts, and rotates to a key of a second service', async () => {
  await using registry = await startRegistry({ clock: runningClock(), servers: 1 })
  await using folder = await tempFolder()
  const path = (name: string) => join(folder.path, name)
  const kms = (name: string) => run(process.execPath, [join(EXAMPLE, 'kms.js'), path(`${name}.json`), path(`${name}.sock`)], {})
  await using first = kms('first')
  await first.wrote(/ready/)
  expect([(await stat(path('first.json'))).mode & 0o777, (await stat(path('first.sock'))).mode & 0o777]).toEqual([0o600, 0o600])

  const { agentId, registrationToken, orgId } = await registry.registration()
  const config = { issuer: registry.issuer, agentId, socket: path('first.sock') }
  await using started = run(process.execPath, [join(EXAMPLE, 'agent.js')], { AGENT: JSON.stringify({ ...config, registrationToken }) })
  expect(JSON.parse((await started.wrote(/^\{.*\}$/m))[0]).items).toHaveLength(1)
  await using again = run(process.execPath, [join(EXAMPLE, 'agent.js')], { AGENT: JSON.stringify(config) })
  expect(JSON.parse((await again.wrote(/^\{.*\}$/m))[0]).items).toHaveLength(2)

  await using second = kms('second')
  await second.wrote(/ready/)
  const signer = await kmsSigner(path('first.sock'))
  const agent = registry.as({ clientId: agentId, signer, orgId } as never)
  await agent.rotateKey(await kmsSigner(path('second.sock')))
  await first[Symbol.asyncDispose]()
  expect(await reasonOf(agent.tasks.list())).toBe('done')
  await second[Symbol.asyncDispose]()
  expect(await reasonOf(agent.tasks.list()), 'no service, no signature').not.toBe('done')
})
