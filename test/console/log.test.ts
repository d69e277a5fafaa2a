import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('the log of the console'))('log', () => {
  let world: ConsoleWorld
  let acme: Actor
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
    await world.registry.agent({ registeredBy: acme })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('the newest entries come in at the top, and the page verifies the whole log', async () => {
    const page = await world.open(acme, '/console/log')
    const newest = page.locator('.rows li a').first()
    await newest.waitFor()
    await expect.poll(() => page.locator('.state:has-text("proved")').count()).toBe(2)
    await expectGoodPage(page)
    const { taskId } = await acme.tasks.create({ description: 'x' })
    await page.waitForSelector('.rows li:first-child >> text=task.created')
    await acme.tasks.end(taskId)
    await page.waitForSelector('.rows li:first-child >> text=task.ended')
    await page.click('button:has-text("Verify all")')
    await page.waitForSelector('text=/All \\d+ entries lead to the signed root/')
    await page.keyboard.press('j')
    expect(world.troubles).toEqual([])
  }, 60_000)

  test('an entry is proved in the browser, and shows as wrong if one hash of its proof, or the checkpoint, was changed', async () => {
    const page = await world.open(acme, '/console/log/2')
    await page.waitForSelector('text=The log of the checkpoint contains the entry')
    expect(await page.locator('.state').allTextContents()).toEqual(['proved', 'proved', 'proved', 'proved'])
    await page.click('summary:has-text("The path to the root")')
    await expectGoodPage(page)

    const change = async (path: string, edit: (body: string) => string) => {
      await page.unrouteAll()
      await page.route(`**${path}*`, async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, body: edit(await response.text()) })
      })
      await show(page, `${world.registry.issuer}/console/log/2`)
      await page.waitForSelector('text=The log of the checkpoint contains the entry')
      return page.locator('.state').allTextContents()
    }
    const ofHash = (body: string) => body.replace(/"hashes":\["./, (text) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A'))
    expect(await change('/log/inclusion', ofHash)).toEqual(['proved', 'proved', 'wrong', 'proved'])
    expect(await change('/log/entries', (body) => body.replace('"type":"', '"type":"x-'))).toEqual(['proved', 'proved', 'wrong', 'proved'])
    // The root is the third line of the note
    const ofRoot = (body: string) =>
      body.replace(/^(.*\n.*\n)(.)/, (_, before: string, first: string) => before + (first === 'A' ? 'B' : 'A'))
    expect(await change('/log/checkpoint', ofRoot)).toEqual(['wrong', 'proved', 'unknown'])
    await acme.tasks.create({ description: 'x' })
    const ofConsistency = await change('/log/consistency', ofHash)
    expect(ofConsistency).toEqual(['proved', 'proved', 'proved', 'wrong'])
    expect(world.troubles).toEqual([])
  }, 60_000)
})
