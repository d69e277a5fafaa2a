// Two browsers watch one thing, in a list and on its own page. A third caller revokes it, and both change without a reload.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor, AgentActor } from '../registry.js'
import { aPair } from '../stories/actors.js'
import { type ConsoleWorld, show, startConsoleWorld } from './world.js'

/** From the acknowledgement of the revocation to the change of the page. */
const WITHIN_MS = 1000

// A busy machine may delay a browser: each test has three attempts, with a thing of its own
describe.runIf(hasChromium('two browsers that watch one revocation'))('two browsers', { retry: 2 }, () => {
  let world: ConsoleWorld
  let globex: Actor
  let ocr: AgentActor
  let planner: AgentActor
  /** The pages of two members. They stay where they are while a third caller revokes. */
  let watchers: readonly [Page, Page]
  beforeAll(async () => {
    world = await startConsoleWorld()
    const pair = await aPair(world.registry)
    ;({ globex, ocr, planner } = pair)
    const { code } = await globex.mutate<{ code: string }>('members.invite', { orgId: globex.orgId, role: 'member' })
    watchers = [await world.open(globex), await world.open(await world.registry.join(code, 'Mia'))]
  }, 120_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  /** Shows a list and the page of one thing of it, revokes the thing, and waits for both. */
  async function watch(options: {
    readonly list: string
    readonly thing: string
    /** What stands on both pages before. */
    readonly name: string
    /** The state that both show afterwards. */
    readonly state: string
    readonly revoke: () => Promise<unknown>
  }): Promise<void> {
    const [list, thing] = watchers
    const { issuer } = world.registry
    await Promise.all([show(list, issuer + options.list), show(thing, issuer + options.thing)])
    const row = list.locator('main .rows li', { hasText: options.name })
    await row.waitFor()
    await thing.locator('main', { hasText: options.name }).waitFor()
    for (const page of watchers) await page.evaluate('window.sameDocument = true')
    await options.revoke()
    const states = [row.locator('.state', { hasText: options.state }), thing.locator('main .state', { hasText: options.state })]
    await Promise.all(states.map((state) => state.first().waitFor({ timeout: WITHIN_MS })))
    for (const page of watchers) expect(await page.evaluate('window.sameDocument')).toBe(true)
    expect(world.troubles).toEqual([])
  }

  test('an agent that an operator revokes', async () => {
    const name = `Scanner ${crypto.randomUUID().slice(0, 8)}`
    const { agentId } = await world.registry.agent({ registeredBy: globex, name })
    const revoke = () => world.registry.operator.mutate('agents.revoke', { agentId })
    await watch({ list: '/console/agents', thing: `/console/agents/${agentId}`, name, state: 'revoked', revoke })
  }, 60_000)

  test('a task that its agent ends', async () => {
    const description = `Invoices ${crypto.randomUUID().slice(0, 8)}`
    const { taskId } = await planner.tasks.create({ description })
    const revoke = () => planner.tasks.end(taskId)
    await watch({ list: '/console/tasks', thing: `/console/tasks/${taskId}`, name: description, state: 'ended', revoke })
  }, 60_000)

  test('an introduction that the called organisation revokes', async () => {
    const name = `Caller ${crypto.randomUUID().slice(0, 8)}`
    const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
    const caller = await world.registry.agent({ registeredBy: globex, name, ceiling: { rights } })
    const { introductionId } = await caller.introductions.request({ to: ocr.agentId, purpose: 'watched', scopes: ['ocr:read'] })
    await ocr.introductions.approve(introductionId)
    const revoke = () => ocr.introductions.revoke(introductionId)
    await watch({
      list: `/console/reach/${caller.agentId}?state=all`,
      thing: `/console/introductions/${introductionId}`,
      name,
      state: 'ended',
      revoke,
    })
  }, 60_000)
})
