import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('the agents of the console'))('agents', () => {
  let world: ConsoleWorld
  let acme: Actor
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
  })
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('a revocation elsewhere changes the list within a second, without a reload', async () => {
    const agent = await world.registry.agent({ registeredBy: acme, name: 'OCR <b>' })
    const page = await world.open(acme, '/console/agents')
    await page.waitForSelector('text=OCR <b>')
    await expectGoodPage(page)
    await acme.mutate('agents.revoke', { agentId: agent.agentId })
    await page.waitForSelector('.rows .state:has-text("revoked")', { timeout: 1000 })
    expect(world.troubles).toEqual([])
  })
})
