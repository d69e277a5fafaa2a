import { expect, test } from 'vitest'
import { createAgent } from '../../../src/client/index.js'
import { type AgentActor, startRegistry } from '../../registry.js'
import { aPublishedAgent } from '../../stories/actors.js'

test('watch skips a withdrawn request and, after ten failures of the handler, the next one; it retries when the registry cannot be reached', async () => {
  await using registry = await startRegistry()
  const target = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Acme') })
  const caller = () => registry.agent({ ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  const [withdrawn, failing, third] = [await caller(), await caller(), await caller()]
  const ids: string[] = []
  for (const agent of [withdrawn, failing, third])
    ids.push((await agent.introductions.request({ to: target.agentId, purpose: 'a story', scopes: ['ocr:read'] })).introductionId)
  await withdrawn.introductions.revoke(ids[0] ?? '')

  const errors: string[] = []
  let isDown = true
  const agent = createAgent({
    issuer: registry.issuer,
    clientId: target.clientId,
    signer: target.signer,
    clock: registry.clock,
    onError: (error) => errors.push(error instanceof Error && 'reason' in error ? String(error.reason) : String(error)),
    // The first approval of the third request does not reach the registry.
    fetch: async (input, init) => {
      if (String(input).includes('introductions.approve') && String(init?.body).includes(ids[2] ?? '') && isDown) {
        isDown = false
        throw new TypeError('fetch failed')
      }
      return fetch(input, init)
    },
  })
  let attempts = 0
  const watching = agent.introductions.watch(async ({ kind, introductionId }) => {
    if (kind !== 'requested') return
    if (introductionId === ids[1]) {
      attempts++
      throw new Error('a bug in the handler')
    }
    await agent.introductions.approve(introductionId)
  })
  const ticking = setInterval(() => registry.clock.advance(0.5), 20)
  await expect.poll(async () => (await third.introductions.get(ids[2] ?? '')).state).toBe('granted')
  await expect.poll(() => attempts).toBe(10)
  await expect.poll(() => new Set(errors).size).toBe(3)
  clearInterval(ticking)
  watching.close()
  expect([...new Set(errors)].sort()).toEqual(['Error: a bug in the handler', 'not_pending', 'unavailable'])
})

test('introduce and watch are woken by the WebSocket: with a clock that stands still they see decisions', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const target = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Acme') })
  const caller = await registry.agent({ ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  let reads = 0
  const still = { ...registry.clock, after: (_: number, signal?: AbortSignal) => registry.clock.after(1e9, signal) }
  const clientOf = ({ clientId, signer }: AgentActor) =>
    createAgent({
      issuer: registry.issuer,
      clientId,
      signer,
      clock: still,
      fetch: (input, init) => {
        if (String(input).includes('introductions.get')) reads++
        return fetch(input, init)
      },
    })
  const watcher = clientOf(target)
  const seen: string[] = []
  const watching = watcher.introductions.watch(async ({ kind, introductionId }) => {
    seen.push(kind)
    if (kind === 'requested') await watcher.introductions.approve(introductionId)
  })
  const granted = await clientOf(caller).introduce({ to: target.agentId, purpose: 'a story', scopes: ['ocr:read'] })
  expect(granted.state).toBe('granted')
  expect(reads).toBeLessThan(5)
  await expect.poll(() => seen).toEqual(['requested', 'granted'])
  watching.close()
  await target.introductions.revoke(granted.introductionId)
  expect(seen).toHaveLength(2)
})

test('a pending introduction says why it must be approved: the policy, scopes beyond it, or delegation', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const asking = await aPublishedAgent(registry, { registeredBy: acme })
  const open = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open', scopes: ['ocr:read'] } })
  const rights = [asking, open].flatMap(({ audience }) => ['ocr:read', 'ocr:admin'].map((scope) => ({ audience, scope })))
  const caller = await registry.agent({ ceiling: { rights, delegationDepth: 1 } })
  const delegation = { depth: 1, rights: [{ audience: open.audience, scope: 'ocr:read' }] }
  const introduce = (to: AgentActor, more: object = {}) =>
    caller.introduce({ to: to.agentId, purpose: 'a story', scopes: ['ocr:read'], waitSeconds: 0, ...more })
  const pending = await introduce(asking)
  expect(pending).toMatchObject({ state: 'pending', pendingBecause: ['policy'] })
  expect(await introduce(open, { delegation })).toMatchObject({ state: 'pending', pendingBecause: ['delegation'] })
  expect(await introduce(open, { delegation, scopes: ['ocr:admin'] })).toMatchObject({ pendingBecause: ['scopes', 'delegation'] })
  const granted = await introduce(open)
  expect([granted.state, granted.pendingBecause]).toEqual(['granted', undefined])
  expect(await asking.introductions.get(pending.introductionId)).toMatchObject({ pendingBecause: ['policy'] })
  const approved = await asking.introductions.approve(pending.introductionId)
  expect([approved.state, approved.pendingBecause]).toEqual(['granted', undefined])
})
