import { expect, test } from 'vitest'
import { startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

test('what a compromised key grants while its compromise is being logged is revoked too', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const { front, operator } = registry
  const acme = await registry.organisation('Acme')
  const target = await aPublishedAgent(registry, { registeredBy: acme })
  const rights = [{ audience: target.audience, scope: 'ocr:read' }]
  const caller = await registry.agent({ registeredBy: await registry.organisation('Caller'), ceiling: { rights } })
  const earlier = await introduce(caller, target)
  const pending = await caller.introductions.request({ to: target.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: target.agentId })
  let isArmed = false
  const server = await registry.addServer(async (name, work) => {
    if (isArmed && name === 'log.append') {
      isArmed = false
      // Everything that the key granted has been listed. Now it grants one more introduction, at the other server
      front.route(registry.servers.slice(0, 1).map(({ port }) => port))
      await target.introductions.approve(pending.introductionId)
      expect((await caller.introductions.get(pending.introductionId)).state).toBe('granted')
    }
    return work()
  })
  front.route([server.port])
  await operator.token()
  isArmed = true
  const since = registry.clock.now() - 60
  const { revokedCount } = await operator.mutate<{ revokedCount: number }>('keys.compromise', { keyId: items[0]?.keyId, since })
  expect([isArmed, revokedCount]).toEqual([false, 3])
  for (const introductionId of [earlier, pending.introductionId])
    expect((await caller.introductions.get(introductionId)).state).toBe('ended')
  expect(await reasonOf(registry.as(target).token())).toBe('invalid_client')
})
