import { expect, test } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { startRegistry } from '../registry.js'
import { aPublishedAgent } from '../stories/actors.js'

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
  const ticking = setInterval(() => registry.clock.advance(0.5), 5)
  await expect.poll(async () => (await third.introductions.get(ids[2] ?? '')).state, { timeout: 15_000 }).toBe('granted')
  await expect.poll(() => attempts, { timeout: 15_000 }).toBe(10)
  await expect.poll(() => new Set(errors).size, { timeout: 15_000 }).toBe(3)
  clearInterval(ticking)
  watching.close()
  expect([...new Set(errors)].sort()).toEqual(['Error: a bug in the handler', 'not_pending', 'unavailable'])
}, 30_000)
