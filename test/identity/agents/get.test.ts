import { expect, test } from 'vitest'
import { startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

test('an agent is found by its name, also by an earlier one and by one that looks alike, in the organisation of the caller', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const globex = await registry.organisation('Globex')
  const ocr = await registry.agent({ registeredBy: acme, name: 'scan reader' })
  const get = (input: object, caller = acme) => caller.query<{ agentId: string; name: string }>('agents.get', input)
  await acme.mutate('agents.change', { agentId: ocr.agentId, name: 'page reader' })
  for (const name of ['page reader', 'Page-Reader', 'scan reader'])
    expect(await get({ name })).toMatchObject({ agentId: ocr.agentId, name: 'page reader' })
  expect(await get({ name: 'page reader', orgId: acme.orgId }, registry.operator)).toMatchObject({ agentId: ocr.agentId })
  // The same refusal, whether or not another organisation has an agent of this name
  for (const input of [{ name: 'page reader' }, { name: 'page reader', orgId: acme.orgId }, { name: 'nobody' }])
    await expect(get(input, globex)).rejects.toMatchObject({ reason: 'not_found', message: 'no such agent' })
  const both = { agentId: ocr.agentId, name: 'page reader' }
  for (const input of [{}, both, { agentId: ocr.agentId, orgId: acme.orgId }]) expect(await reasonOf(get(input))).toBe('bad_input')
})

test('an agent whose keys all retire says when the last one does', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ registeredBy: acme })
  const read = () => acme.query<{ keysRetireAt?: number }>('agents.get', { agentId })
  expect(await read()).not.toHaveProperty('keysRetireAt')
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agentId })
  await acme.mutate('keys.retire', { keyId: items[0]?.keyId, overlapSeconds: 3600 })
  expect(await read()).toMatchObject({ state: 'active', keysRetireAt: registry.clock.now() + 3600 })
})
