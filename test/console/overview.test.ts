import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import { type Actor, aCard } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('the overview and the limits of the console'))('overview', () => {
  let world: ConsoleWorld
  let acme: Actor
  beforeAll(async () => {
    world = await startConsoleWorld()
    const { registry } = world
    acme = await registry.organisation('Acme')
    const agent = await registry.agent({ registeredBy: acme, name: 'OCR <b>', introductionPolicy: { mode: 'ask' } })
    await agent.publish({ card: aCard(registry) })
    const globex = await registry.organisation('Globex')
    const ceiling = { rights: [{ audience: agent.audience, scope: 'ocr:read' }] }
    const planner = await registry.agent({ registeredBy: globex, ceiling })
    await planner.introductions.request({ to: agent.agentId, purpose: 'read <i>invoices</i>', scopes: ['ocr:read'] })
    await registry.registration({ registeredBy: acme, name: 'never confirmed' })
    await acme.tasks.create({ description: 'a task <script>' })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('names what waits, the agents, the active tasks and the changes, and leads to each', async () => {
    const page = await world.open(acme, '/console')
    const needs = page.locator('section[aria-label="Needs you"]')
    await needs.locator('text=read <i>invoices</i>').waitFor()
    expect(await needs.locator('li a').allTextContents()).toEqual(['Decide', 'Confirm agent'])
    await page.waitForSelector('a[href^="/console/tasks/tsk_"]')
    await page.waitForSelector('a[href^="/console/reach/agt_"]')
    await page.waitForSelector('section[aria-label="What changed"] a:has-text("tasks.create")')
    await page.waitForSelector('dd:has-text("1, none behind")')
    expect(await page.locator('dt:has-text("other subscribers")').count()).toBe(0)
    await expectGoodPage(page)
    await acme.tasks.create({ description: 'a later task' })
    await page.waitForSelector('text=a later task', { timeout: 8000 })
    expect(world.troubles).toEqual([])
  }, 60_000)

  test('shows an operator whether another subscriber is behind, and a person only what is its own', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    const page = await world.open(world.registry.operator, '/console')
    await page.waitForSelector('dt:has-text("other subscribers")')
    await page.waitForSelector('dt:has-text("warnings") + dd:has-text("none")')
    const person = await world.open(await world.registry.join(code, 'Pia'), '/console')
    await person.waitForSelector('text=Nothing waits for you')
    expect(await person.locator('section h2').allTextContents()).not.toContain('What changed')
    await expectGoodPage(person)
    expect(await person.locator('.error').count()).toBe(0)
    expect(world.troubles).toEqual([])
  }, 60_000)

  test('limits are shown with their use, set within the maximum, and webhooks are added and removed', async () => {
    const page = await world.open(acme, '/console/limits')
    await page.waitForSelector('.rows >> text=OCR <b>')
    await page.fill('input[name=agents]', '5')
    await page.click('button:has-text("Set the limits")')
    await page.waitForSelector('text=/Agents: [0-9] of 5/')
    await page.fill('input[name=url]', 'http://127.0.0.1:9/credence')
    await page.click('button:has-text("Add the webhook")')
    await page.waitForSelector('li:has-text("http://127.0.0.1:9/credence")')
    await expectGoodPage(page)
    await page.click('button:has-text("Remove")')
    await page.click('dialog button.danger')
    await page.waitForSelector('text=Your organisation has no webhook')
    expect(world.troubles).toEqual([])
  }, 60_000)
})
