import { describe, expect, test } from 'vitest'
import { systemRandom } from '../../../src/lib/random.js'
import { PushConfigs, pushUrlFault } from '../../../src/verifier/a2a/push-configs.js'
import type { Verified } from '../../../src/verifier/index.js'

const PUBLIC = 'https://agent.credence.dev'
const LOCAL = 'http://127.0.0.1:4100'

test.each([
  ['https://hooks.credence.dev/a', true, true],
  ['https://hooks.credence.dev:8443/a?b', true, true],
  ['http://hooks.credence.dev/a', false, false],
  ['https://me:secret@hooks.credence.dev/', false, false],
  ['https://169.254.169.254/', false, false],
  ['http://169.254.169.254/', false, false],
  ['https://2852039166/', false, false], // 169.254.169.254 as one number
  ['https://[::ffff:a9fe:a9fe]/', false, false],
  ['https://10.1.2.3/', false, false],
  ['https://hook.example/', false, true],
  ['https://intranet/', false, true],
  ['https://localhost/', false, true],
  ['http://localhost:9000/push', false, true],
  ['http://127.0.0.1:9000/push', false, true],
  ['https://[::1]:9000/push', false, true],
  ['ftp://hooks.credence.dev/', false, false],
  ['/push', false, false],
  [undefined, false, false],
])('push notifications to %s: from a public server %s, from a server on loopback %s', (url, fromPublic, fromLocal) => {
  expect([pushUrlFault(url, PUBLIC) === undefined, pushUrlFault(url, LOCAL) === undefined]).toEqual([fromPublic, fromLocal])
})

describe('the watch of a configuration', () => {
  const verified = { claims: { sub: 'agt_x' } } as unknown as Verified // the configurations of one subject
  const config = { taskId: 't1', id: 'c1', url: 'https://hooks.credence.dev/a' }

  /** A server whose push store takes as long as the test wants. `revoke` ends the token of all watches. */
  function aServer() {
    const stored = new Set<string>()
    const watches = new Set<() => void>()
    const gate = { create: Promise.resolve(), delete: Promise.resolve(), refuses: false }
    const handler = {
      createTaskPushNotificationConfig: async ({ id = '' }) => {
        await gate.create
        if (gate.refuses) throw new Error('refused')
        stored.add(id)
      },
      deleteTaskPushNotificationConfig: async ({ id = '' }) => {
        await gate.delete
        stored.delete(id)
      },
    }
    const verifier = {
      publicUrl: 'https://agent.credence.dev',
      onBug: () => {},
      watch: (_: Verified, onInvalid: () => void) => {
        watches.add(onInvalid)
        return () => void watches.delete(onInvalid)
      },
    }
    const pushes = new PushConfigs(handler, verifier, systemRandom)
    const revoke = () => {
      for (const onInvalid of [...watches]) onInvalid()
    }
    return { pushes, stored, gate, revoke }
  }
  const aGate = () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    return { gate, open }
  }

  test('stays with what is stored when a deletion and a creation overlap', async () => {
    const { pushes, stored, gate, revoke } = aServer()
    await pushes.create(config, {}, verified)
    const slow = aGate()
    gate.delete = slow.gate
    const both = [pushes.delete(config, {}, verified), pushes.create(config, {}, verified)]
    slow.open()
    await Promise.all(both)
    expect(stored).toEqual(new Set(['c1']))
    revoke()
    await expect.poll(() => stored.size).toBe(0)
  })

  test('stays when the server refuses to create the configuration again', async () => {
    const { pushes, stored, gate, revoke } = aServer()
    await pushes.create(config, {}, verified)
    gate.refuses = true
    await expect(pushes.create(config, {}, verified)).rejects.toThrow('refused')
    revoke()
    await expect.poll(() => stored.size).toBe(0)
  })

  test('deletes a configuration whose token ended while it was created', async () => {
    const { pushes, stored, gate, revoke } = aServer()
    const slow = aGate()
    gate.create = slow.gate
    const created = pushes.create(config, {}, verified)
    slow.open()
    await created
    revoke()
    await expect.poll(() => stored.size).toBe(0)
  })
})
