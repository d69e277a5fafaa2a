import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/lib/json.js'
import { hasChromium } from '../chromium.js'
import { type Actor, type AgentActor, aCard } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const skill = (id: string): JsonObject => ({ id, name: `Skill ${id}`, description: `<img src=x onerror=alert(1)> ${id}`, tags: [id] })

describe.runIf(hasChromium('the cards of the console'))('cards', () => {
  let world: ConsoleWorld
  let acme: Actor
  let globex: Actor
  let agent: AgentActor
  beforeAll(async () => {
    world = await startConsoleWorld()
    const { registry } = world
    acme = await registry.organisation('Acme')
    globex = await registry.organisation('Globex')
    agent = await registry.agent({ registeredBy: acme, name: 'ocr' })
    await agent.publish({ card: aCard(registry, { version: '0.9.0', skills: ['public', 'gone'].map(skill) }) })
    await agent.publish({
      card: aCard(registry, { iconUrl: 'https://evil.example/icon.png', skills: ['public', 'known', 'secret'].map(skill) }),
      hide: ['/skills/1', '/skills/2'],
      tiers: { '/skills/1': 'authenticated' },
    })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('a member sees the card of its agent as each class of callers does, and finds faults in a pasted card', async () => {
    const page = await world.open(acme, `/console/cards/${agent.agentId}`)
    const column = (name: string) => page.locator(`section[aria-label="${name}"]`)
    await column('An introduced caller').locator('li.more').first().waitFor()
    expect(await column('An anonymous caller').innerText()).not.toMatch(/Skill (known|secret)/)
    expect(await column('An authenticated caller').locator('li.more').allInnerTexts()).toEqual([expect.stringContaining('Skill known')])
    expect(await column('An introduced caller').locator('li.more').allInnerTexts()).toEqual([expect.stringContaining('Skill secret')])
    await page.waitForSelector('section[aria-label="What is signed"] >> text=a key of the agent')
    await page.fill('textarea[name=card]', '{"name": 7}')
    await page.click('text=Check the pasted card')
    await page.waitForSelector('text=Result for the pasted card')
    await page.waitForSelector('section[aria-label="Check a card"] code:has-text("no-endpoint")')
    await page.click('text=What version 2 changed')
    await page.waitForSelector('section[aria-label="What changes for callers"] >> text=no longer has the skill gone')
    expect(page.url()).toContain('?from=1&to=2')
    await expectGoodPage(page)
    expect(world.troubles).toEqual([])
  })

  test('a stranger sees no column of introduced callers and no action of its organisation, and an unpublished card is gone within a second', async () => {
    const page = await world.open(globex, `/console/cards/${agent.agentId}`)
    await page.waitForSelector('section[aria-label="An authenticated caller"] li.more')
    expect(await page.locator('main').innerText()).not.toContain('Skill secret')
    expect(await page.locator('button:has-text("Unpublish"), button:has-text("Yank"), button:has-text("Compare now")').count()).toBe(0)
    const own = await world.open(acme, `/console/cards/${agent.agentId}`)
    await own.click('button:has-text("Unpublish")')
    await own.waitForSelector('dialog >> text=live tokens for it now')
    const submit = own.locator('dialog button[type=submit]')
    expect(await submit.isDisabled()).toBe(true)
    await own.fill('#confirm-name', (await own.locator('dialog label[for=confirm-name] :is(.foreign, code)').innerText()).trim())
    await submit.click()
    await own.waitForSelector('text=The card was unpublished at position')
    await page.waitForSelector('text=This agent has no card that you can read', { timeout: 1000 })
    await own.waitForSelector('text=This agent has no card that you can read')
    await expectGoodPage(own)
    expect(world.troubles).toEqual([])
  })

  test('a deprecation and a yank show in the history', async () => {
    await agent.publish({ card: aCard(world.registry, { version: '3.0.0' }) })
    const page = await world.open(acme, `/console/cards/${agent.agentId}`)
    await page.fill('input[name=deprecation]', 'use the other one')
    await page.click('text=Deprecate this version')
    await page.waitForSelector('section[aria-label=Versions] >> text=use the other one')
    await page.click('text=Undo the deprecation')
    await page.waitForSelector('text=Deprecate this version')
    await page.click('text=Yank version 2')
    await page.selectOption('dialog select[name=reason]', 'policy')
    await page.fill('#confirm-name', (await page.locator('dialog label[for=confirm-name] :is(.foreign, code)').innerText()).trim())
    await page.click('dialog button[type=submit]')
    await page.waitForSelector('section[aria-label=Versions] li:has-text("Version 2") >> text=policy')
    await show(page, `${world.registry.issuer}/console/cards/agt_AAAAAAAAAAAAAAAAAAAAAA`)
    await page.waitForSelector('text=credence card publish')
    expect(world.troubles).toEqual([])
  })
})
