// AUD-03: no effect without its audit row. Every mutation is tried on a server whose store fails whenever an audit row is written.
import { expect, test } from 'vitest'
import { confirmAgent, newEs256Signer } from '../../src/client/index.js'
import { refuse } from '../../src/errors.js'
import { aCard } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { attackSetup } from './attack.js'

const setup = attackSetup()

test('AUD-03 an action whose audit row cannot be written gets 503 and has no effect', async () => {
  const { registry, acme, globex, ocr, planner, outsider, introductionId } = setup
  const { operator } = registry
  let isFailing = false
  let failed = 0
  const server = await registry.addServer(async (name, work, operations = []) => {
    const isAudit =
      name === 'audit-rows.insert' || operations.some((operation) => 'collection' in operation && operation.collection === 'audit-rows')
    if (!isFailing || !isAudit) return work()
    failed++
    // The error has no Retry-After: a client would wait for ever, because the clock of the test stands still
    return refuse('unavailable', 'the store could not commit')
  })
  registry.front.route([server.port])

  const { taskId } = await planner.tasks.create({ description: 'before' })
  const { accessToken } = await planner.exchange({ audience: ocr.audience, taskId })
  const pending = await planner.introductions.request({ to: ocr.agentId, purpose: 'later', scopes: ['ocr:read'] })
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const { items: keys } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: ocr.agentId })
  const keyId = keys[0]?.keyId
  const { agentId, registrationToken } = await registry.registration({ registeredBy: acme })
  const suspended = await registry.agent({ registeredBy: acme })
  await acme.mutate('agents.suspend', { agentId: suspended.agentId })
  const other = await registry.organisation('Other')
  const signer = await newEs256Signer()

  const actions: Record<string, () => Promise<unknown>> = {
    'organisations.create': () => operator.mutate('organisations.create', { name: 'New' }),
    'organisations.revoke': () => operator.mutate('organisations.revoke', { orgId: other.orgId }),
    'members.invite': () => acme.mutate('members.invite', { orgId: acme.orgId, role: 'member' }),
    'members.join': () => registry.join(code, 'late'),
    'members.changeRole': () => acme.mutate('members.changeRole', { memberId: acme.clientId, role: 'member' }),
    'members.revoke': () => operator.mutate('members.revoke', { memberId: other.clientId }),
    'agents.register': () => registry.registration({ registeredBy: acme }),
    'agents.confirm': () => confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer, clock: registry.clock }),
    'agents.change': () => globex.mutate('agents.change', { agentId: planner.agentId, ceiling: {} }),
    'agents.suspend': () => acme.mutate('agents.suspend', { agentId: ocr.agentId }),
    'agents.reinstate': () => acme.mutate('agents.reinstate', { agentId: suspended.agentId }),
    'agents.revoke': () => acme.mutate('agents.revoke', { agentId: ocr.agentId }),
    'keys.retire': () => acme.mutate('keys.retire', { keyId }),
    'keys.revoke': () => acme.mutate('keys.revoke', { keyId }),
    'keys.compromise': () => acme.mutate('keys.compromise', { keyId, since: registry.clock.now() - 60 }),
    'cards.publish': () => ocr.publish({ card: aCard(registry, { name: 'Another' }) }),
    'cards.unpublish': () => ocr.mutate('cards.unpublish', { agentId: ocr.agentId }),
    'introductions.request': () => planner.introductions.request({ to: ocr.agentId, purpose: 'again', scopes: ['ocr:read'] }),
    'introductions.approve': () => ocr.introductions.approve(pending.introductionId),
    'introductions.deny': () => ocr.introductions.deny(pending.introductionId),
    'introductions.revoke': () => ocr.introductions.revoke(introductionId),
    'tasks.create': () => planner.tasks.create({ description: 'while it fails' }),
    'tasks.end': () => planner.tasks.end(taskId),
    'oauth.token, client_credentials': () => registry.as(planner).token(),
    'oauth.token, token exchange': () => planner.exchange({ audience: ocr.audience }),
    'oauth.revoke': () => planner.revoke(accessToken),
  }
  const state = async () => ({
    log: (await registry.storage.log.head())?.n,
    organisations: await operator.query('organisations.list', {}),
    members: await acme.query('members.list', { orgId: acme.orgId }),
    agents: await acme.query('agents.list', {}),
    keys: await acme.query('keys.list', { owner: ocr.agentId }),
    card: (await outsider.search({ text: 'scanned' })).total,
    tasks: await planner.query('tasks.list', {}),
    introductions: await ocr.query('introductions.list', {}),
    token: await ocr.introspect(accessToken),
  })
  for (const actor of [operator, acme, globex, ocr, planner, outsider]) await actor.token()
  const before = await state()
  for (const [name, act] of Object.entries(actions)) {
    failed = 0
    isFailing = true
    const reason = await reasonOf(act())
    isFailing = false
    expect([name, reason, failed > 0]).toEqual([name, 'unavailable', true])
    expect(await state(), name).toEqual(before)
  }
  // Once audit rows can be written again, the same action succeeds.
  expect(await reasonOf(planner.tasks.end(taskId))).toBe('done')
  expect(await ocr.introspect(accessToken)).toEqual({ active: false })
})
