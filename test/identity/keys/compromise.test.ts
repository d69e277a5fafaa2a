import { expect, test } from 'vitest'
import { tokenRequest } from '../../oauth/requests.js'
import { type Actor, startRegistry } from '../../registry.js'
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

test('resources that a compromised key registered end, and those that it changed give no token before a member has reviewed them', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const mia = await registry.join(code, 'Mia')
  const scopes = [{ scope: 'files:read', words: 'Read files' }]
  const register = async (uri: string, by: Actor) => {
    const input = { uri, name: 'Files', scopes, policy: { mode: 'open' } }
    return { resourceId: (await by.mutate<{ resourceId: string }>('resources.register', input)).resourceId }
  }
  const [changed, untouched] = [await register('http://127.0.0.1:9/changed', acme), await register('http://127.0.0.1:9/untouched', acme)]
  registry.clock.advance(100)
  const since = registry.clock.now()
  const registered = await register('http://127.0.0.1:9/registered', mia)
  await registry.operator.mutate('resources.confirm', registered)
  await mia.mutate('resources.change', { ...changed, bearer: 'allowed' })
  // A later change by another member keeps what the first one did
  registry.clock.advance(10)
  await acme.mutate('resources.change', { ...changed, name: 'Renamed' })
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: mia.clientId })
  await acme.mutate('keys.compromise', { keyId: items[0]?.keyId, since })
  const stateOf = async (one: { resourceId: string }) => (await acme.query<{ state: string }>('resources.get', one)).state
  expect([await stateOf(registered), await stateOf(changed), await stateOf(untouched)]).toEqual(['revoked', 'frozen', 'unproved'])
  const uri = 'http://127.0.0.1:9/changed'
  const agent = await registry.agent({ ceiling: { rights: [{ audience: uri, scope: 'files:read' }] } })
  const request = async () => (await tokenRequest(registry, agent, { grant_type: 'client_credentials', resource: uri })).status
  expect(await request()).toBe(400)
  await acme.mutate('resources.change', { ...changed, description: 'Reviewed' })
  expect([await stateOf(changed), await request()]).toEqual(['unproved', 200])
  // The URI of the one that ended is free
  const again = await register('http://127.0.0.1:9/registered', acme)
  expect(await registry.operator.mutate('resources.confirm', again)).toMatchObject({ state: 'proved' })
})
