import { expect, test } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { startRegistry } from '../registry.js'
import { aCallee } from '../stories/actors.js'

test('a request that was withdrawn, and a handler that fails, hold up no other; what was not answered comes again', async () => {
  await using registry = await startRegistry()
  const callee = await aCallee(registry, { of: await registry.organisation('Acme') })
  const caller = () => registry.agent({ ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  const [withdrawn, unlucky, third] = [await caller(), await caller(), await caller()]
  const ids: string[] = []
  for (const one of [withdrawn, unlucky, third])
    ids.push((await one.introductions.request({ to: callee.agentId, purpose: 'a story', scopes: ['ocr:read'] })).introductionId)
  await withdrawn.introductions.end(ids[0] ?? '')

  const told: string[] = []
  let isDown = true
  const agent = createAgent({
    issuer: registry.issuer,
    clientId: callee.clientId,
    signer: callee.signer,
    clock: registry.clock,
    onError: (error) => told.push(error instanceof Error && 'reason' in error ? String(error.reason) : String(error)),
    // Once nobody answers when the third is approved
    fetch: async (input, init) => {
      if (String(input).includes('introductions.approve') && String(init?.body).includes(ids[2] ?? '') && isDown) {
        isDown = false
        throw new TypeError('fetch failed')
      }
      return fetch(input, init)
    },
  })
  let tries = 0
  const watching = agent.introductions.watch(async ({ kind, introductionId }) => {
    if (kind !== 'requested') return
    if (introductionId === ids[1]) {
      tries++
      throw new Error('a bug of mine')
    }
    await agent.introductions.approve(introductionId)
  })
  const ticking = setInterval(() => registry.clock.advance(0.5), 5)
  await expect.poll(async () => (await third.introductions.get(ids[2] ?? '')).state, { timeout: 15_000 }).toBe('granted')
  await expect.poll(() => tries, { timeout: 15_000 }).toBe(10)
  await expect.poll(() => new Set(told).size, { timeout: 15_000 }).toBe(3)
  clearInterval(ticking)
  watching.close()
  expect([...new Set(told)].sort()).toEqual(['Error: a bug of mine', 'not_pending', 'unavailable'])
}, 30_000)
