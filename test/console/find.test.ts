import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import { type Actor, type AgentActor, aCard } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('the search of the console'))('find', () => {
  let world: ConsoleWorld
  let acme: Actor
  let globex: Actor
  let ocr: AgentActor
  let planner: AgentActor
  beforeAll(async () => {
    world = await startConsoleWorld()
    const { registry } = world
    acme = await registry.organisation('Acme')
    globex = await registry.organisation('Globex')
    ocr = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'ask' } })
    await ocr.publish({ card: aCard(registry, { name: 'Ocelot <script>alert(1)</script>', description: 'Reads invoices.' }) })
    const weather = await registry.agent({ registeredBy: acme })
    const skills = [{ id: 'forecast', name: 'Forecast', description: 'Tomorrow’s weather.', tags: ['weather & wind'] }]
    await weather.publish({ card: aCard(registry, { name: 'Nimbus', description: 'Knows the weather.', skills }) })
    const ceiling = { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] }
    planner = await registry.agent({ registeredBy: globex, name: 'planner', ceiling })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('a search is narrowed by a facet, its address has it, and a hit says for which words it was found', async () => {
    const page = await world.open(globex, '/console/find')
    await page.waitForSelector('text=2 cards match')
    await page.click('summary')
    await page.click('section[aria-label=Tag] a:has-text("weather & wind")')
    await page.waitForSelector('text=1 card matches')
    expect(new URL(page.url()).searchParams.getAll('tags')).toEqual(['weather & wind'])
    await page.reload()
    await page.waitForSelector('.rows >> text=Nimbus')
    await page.click('a[aria-label^="Remove the filter Tag"]')
    await page.waitForSelector('text=2 cards match')
    await page.fill('input[name=text]', 'invoi')
    await page.waitForSelector('#find-words option[value=invoices]', { state: 'attached' })
    await page.fill('input[name=text]', 'invoices')
    await page.press('input[name=text]', 'Enter')
    await page.waitForSelector('.rows >> text=“invoices” in description')
    await expectGoodPage(page)
    await show(page, `${world.registry.issuer}/console/find?text=unheard-of`)
    await page.waitForSelector('text=No card matches')
    expect(world.troubles).toEqual([])
  })

  test('with the keyboard a member opens the request for a hit, and a scope beyond the ceiling of its agent is refused', async () => {
    const page = await world.open(globex, '/console/find?text=invoices')
    await page.waitForSelector('.rows >> text=Ocelot')
    await page.keyboard.press('j')
    await page.keyboard.press('r')
    await page.waitForSelector('select[name=from]')
    await page.selectOption('select[name=from]', { label: 'planner' })
    await page.fill('input[name=purpose]', 'read invoices')
    await page.getByLabel('ocr:admin').check()
    await page.waitForSelector(`text=--add-call ${ocr.audience}=ocr:admin`)
    await expectGoodPage(page)
    await page.click('button:has-text("Request")')
    await page.waitForSelector('.error code:has-text("invalid_scope")')
    await page.waitForSelector('.error code:has-text("/scopes/0")')
    expect(world.troubles).toEqual([])
  })

  test('a member requests an introduction for its agent, and sees the decision', async () => {
    const page = await world.open(globex, `/console/cards/${ocr.agentId}/request?from=${planner.agentId}`)
    await page.fill('input[name=purpose]', 'read invoices')
    await page.getByLabel('ocr:read').check()
    await page.click('button:has-text("Request")')
    await page.waitForSelector('text=The request is waiting for a decision')
    await expectGoodPage(page)
    const { items } = await ocr.introductions.inbox()
    expect(items).toMatchObject([{ kind: 'requested', from: planner.agentId, purpose: 'read invoices', scopes: ['ocr:read'] }])
    await ocr.introductions.approve(items[0]?.introductionId ?? '')
    await page.waitForSelector('text=The introduction is granted', { timeout: 10_000 })
    expect(world.troubles).toEqual([])
  })
})
