import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Registry } from '../registry.js'
import { aPair, type Pair, reasonOf } from '../stories/actors.js'
import { type ConsoleWorld, expectGoodPage, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('who can call whom in the console'))('who can call whom', () => {
  let world: ConsoleWorld
  let registry: Registry
  let pair: Pair
  beforeAll(async () => {
    world = await startConsoleWorld()
    registry = world.registry
    pair = await aPair(registry, ['ocr:read', 'ocr:admin'])
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('an introduction is narrowed, then revoked; before and after, the page says which tokens end', async () => {
    const { acme, planner, ocr, introductionId } = pair
    const { taskId } = await planner.tasks.create({ description: 'invoices' })
    await planner.exchange({ audience: ocr.audience, taskId })
    const page = await world.open(acme, '/console/reach')
    await page.waitForSelector('.rows li >> text=ocr:admin')
    await page.waitForSelector(`.graph a[href="/console/reach/${planner.agentId}"]`)
    await expectGoodPage(page)
    await page.click(`button[aria-label="Narrow ${introductionId}"]`)
    await page.waitForSelector(`dialog >> text=${taskId}`)
    await expectGoodPage(page)
    await page.locator('dialog label.choice', { hasText: 'ocr:admin' }).click()
    await page.click('dialog >> text=Narrow to what is ticked')
    await page.waitForSelector(`main [aria-live] >> text=${taskId}`)
    await page.waitForSelector('.rows li:not(:has-text("ocr:admin")) >> text=ocr:read')
    expect((await planner.introductions.get(introductionId)).bounds).toEqual({ scopes: ['ocr:read'] })

    await registry.as(planner).exchange({ audience: ocr.audience, taskId })
    await page.click(`button[aria-label="Revoke ${introductionId}"]`)
    await page.waitForSelector('dialog >> text=1 live token')
    await expectGoodPage(page)
    await page.fill('dialog #confirm-name', planner.agentId)
    await page.click('dialog button.danger')
    await page.waitForSelector('text=The introduction was revoked.')
    await page.waitForSelector(`main [aria-live] >> text=${taskId}`)
    await page.waitForSelector('text=No agent here can be called')
    expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('invalid_target')
    expect(world.troubles).toEqual([])
  })

  test('the page of an agent has its edges only, with delegation, and the filter in its address', async () => {
    const { globex, ocr, introductionId } = await aPair(registry)
    const other = await aPair(registry)
    const { planner } = other
    const delegation = { depth: 1, rights: [{ audience: other.ocr.audience, scope: 'ocr:admin' }] }
    const passing = await planner.introductions.request({ to: other.ocr.agentId, purpose: 'x', scopes: ['ocr:read'], delegation })
    await other.ocr.introductions.approve(passing.introductionId)
    const page = await world.open(other.globex, `/console/reach/${planner.agentId}?direction=out`)
    await page.waitForSelector('.rows li >> text=May delegate')
    await page.waitForSelector('.graph path.delegation', { state: 'attached' })
    expect(await page.locator('.rows > ul > li').count()).toBe(2)
    expect(await page.locator('main').innerText()).not.toContain(introductionId)
    await expectGoodPage(page)
    await page.selectOption('select[name=state]', 'pending')
    await page.waitForSelector('text=There is nothing in this state')
    expect(page.url()).toContain('direction=out')
    expect(page.url()).toContain('state=pending')
    expect([globex.orgId, ocr.orgId]).not.toContain(other.globex.orgId)
    expect(world.troubles).toEqual([])
  })
})
