import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor, AgentActor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('the audit of the console'))('audit', () => {
  let world: ConsoleWorld
  let acme: Actor
  let agent: AgentActor
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
    agent = await world.registry.agent({ registeredBy: acme, name: 'OCR <b>' })
    const rights = [{ audience: { anyAgent: true }, scope: 'ocr:read' }]
    await acme.mutate('agents.change', { agentId: agent.agentId, addRights: rights, note: 'for <img src=x onerror=alert(1)> scans' })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('who changed the ceiling of an agent, when and why, from the overview by two clicks', async () => {
    const page = await world.open(acme, '/console')
    await page.click('a:has-text("its changes")')
    await page.click('.rows a:has-text("agents.change")')
    const dialog = page.locator('dialog')
    await dialog.waitFor()
    const text = await dialog.innerText()
    for (const part of ['you', 'OCR <b>', 'for <img src=x onerror=alert(1)> scans', 'ocr:read at any agent', 'superseded'])
      expect(text).toContain(part)
    await expectGoodPage(page)
    await page.click('dialog a:has-text("Everything that this actor did")')
    await page.waitForSelector('.rows a:has-text("agents.register")')
    expect(new URL(page.url()).searchParams.get('actor')).toBe(acme.clientId)
    expect(world.troubles).toEqual([])
  }, 60_000)

  test('filters are in the address, and the filtered rows are exported as JSON Lines', async () => {
    const page = await world.open(acme, '/console/audit')
    await page.click('summary:has-text("Filters")')
    await page.fill('input[name=action]', 'agents.register')
    await page.click('button:has-text("Filter")')
    await page.waitForURL('**/console/audit?action=agents.register')
    await page.waitForSelector('.rows li >> text=agents.register')
    await expect.poll(() => page.locator('.rows li').count()).toBe(1)
    await expectGoodPage(page)
    await show(page, `${world.registry.issuer}/console/audit?action=nothing`)
    await page.waitForSelector('.error:has-text("/action")')
    await show(page, `${world.registry.issuer}/console/audit?action=agents.change&until=9999999999`)
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('button:has-text("Export")')])
    expect(file.suggestedFilename()).toMatch(/^credence-audit-\d+\.jsonl$/)
    const lines = (await readFile((await file.path()) ?? '', 'utf8')).split('\n').filter((line) => line !== '')
    // Rows of the last half minute may still be written, so they are not in an export
    expect(lines.map((line) => JSON.parse(line).action)).toEqual(lines.map(() => 'agents.change'))
    expect(world.troubles).toEqual([])
  }, 60_000)

  test('the chains are checked page by page, and a shorter retention asks first', async () => {
    const page = await world.open(acme, '/console/audit')
    await page.click('button:has-text("Check the chains")')
    await page.waitForSelector('text=The chains are intact.')
    await page.fill('input[name=days]', '400')
    await page.click('section[aria-label=Retention] button')
    await page.waitForSelector('dialog >> text=permanently removed')
    await page.fill('#confirm-name', '400 days')
    await page.click('dialog button.danger')
    await page.waitForSelector('dd:has-text("400 days")')
    expect(world.troubles).toEqual([])
  }, 60_000)
})
