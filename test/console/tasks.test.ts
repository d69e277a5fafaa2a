// Tasks: the tree of tokens, what ends with a token, a pause and an end, and the budget.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemRandom } from '../../src/lib/random.js'
import { type TokenRecord, tokensStore } from '../../src/oauth/store.js'
import { newId } from '../../src/protocol/ids.js'
import { hasChromium } from '../chromium.js'
import { claimsOf } from '../claims-of.js'
import { aPair, type Pair } from '../stories/actors.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const HOSTILE = 'Scan <img src=x onerror=alert(1)>'

describe.runIf(hasChromium('the tasks of the console'))('tasks', () => {
  let world: ConsoleWorld
  let pair: Pair
  let page: Page
  beforeAll(async () => {
    world = await startConsoleWorld()
    pair = await aPair(world.registry)
    page = await world.open(pair.globex, '/console/tasks')
    page.setDefaultTimeout(6000)
  }, 90_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  const aTask = async (more: object = {}) => {
    const { planner, ocr } = pair
    const { taskId } = await planner.tasks.create({ description: HOSTILE, seconds: 3600, ...more })
    const tokenIds: string[] = []
    for (let i = 0; i < 2; i++) tokenIds.push(claimsOf((await planner.exchange({ audience: ocr.audience, taskId })).accessToken).jti)
    return { taskId, tokenIds }
  }
  const open = (path: string) => show(page, world.registry.issuer + path)
  const active = '.tree li.active'

  test('a token is revoked from the tree, and a revocation elsewhere changes the tree within a second', async () => {
    const { taskId, tokenIds } = await aTask()
    await open('/console/tasks?state=active')
    await page.click(`text=${HOSTILE}`)
    // The root token of the planner, and the two tokens of the task
    await expect.poll(() => page.locator(active).count()).toBe(3)
    await page.locator(`[data-token="${tokenIds[0]}"]`).focus()
    await page.keyboard.press('Enter')
    await page.waitForSelector('section[aria-label="The selected token"]')
    expect(page.url()).toContain(`${taskId}?token=${tokenIds[0]}`)
    await expectGoodPage(page)
    await page.click('text=Revoke the token')
    await page.waitForSelector('dialog:has-text("1 active token will end")')
    await page.fill('dialog input', tokenIds[0] ?? '')
    await page.click('dialog button.danger')
    await page.waitForSelector('output:has-text("1 of 1 active token ended")')
    await expect.poll(() => page.locator('.tree li.revoked').count()).toBe(1)
    await pair.globex.mutate('tokens.revoke', { tokenId: tokenIds[1] })
    await page.waitForSelector(`.tree li.revoked[data-token="${tokenIds[1]}"]`, { timeout: 1000 })
    expect(world.troubles).toEqual([])
  })

  test('a task is paused, resumed and ended, and the page says before and after what ends', async () => {
    const { taskId } = await aTask()
    await pair.planner.tasks.create({ description: 'a part', parentTaskId: taskId as never, seconds: 600 })
    await open(`/console/tasks/${taskId}`)
    await page.click('section[aria-label="Child tasks"] >> text=a part')
    await page.waitForURL((url) => !url.pathname.endsWith(taskId))
    await page.click('main button:has-text("Pause")')
    await page.waitForSelector('dialog:has-text("a part")')
    // The dialogue goes with its task
    await page.goBack()
    await page.waitForSelector('section[aria-label="Child tasks"] >> text=a part')
    expect(await page.locator('dialog').count()).toBe(0)
    await page.click('main button:has-text("Pause")')
    await page.waitForSelector('dialog:has-text("2 active tokens will end, also those of 1 active child task")')
    await page.click('dialog button:has-text("Pause")')
    await page.waitForSelector('output:has-text("Paused. 2 of 2 active tokens ended.")')
    await page.click('button:has-text("Resume")')
    await page.waitForSelector('button:has-text("Pause")')
    await page.click('button.danger:has-text("End")')
    await page.waitForSelector('dialog >> text=This cannot be undone.')
    await page.fill('dialog input', taskId)
    await page.click('dialog button.danger')
    await page.waitForSelector('dl .state:has-text("ended")')
    await page.waitForSelector('section[aria-label="Child tasks"] .state:has-text("ended")')
    await expectGoodPage(page)
    expect(world.troubles).toEqual([])
  })

  test('a tree of 500 tokens works with the keyboard', async () => {
    const { taskId, tokenIds } = await aTask()
    const tokens = tokensStore(world.registry)
    const first = await tokens.get(tokenIds[0] ?? '')
    if (!first) throw new Error('the token has no record')
    const copies: TokenRecord[] = []
    // Each token has two that came from it
    for (let i = 0; i < 497; i++) {
      const parent = copies[Math.floor((i - 1) / 2)]
      copies.push({ ...first, id: newId(systemRandom, 'tok'), parents: [parent?.id ?? first.id], issuedAt: first.issuedAt + 1 + i })
    }
    for (let i = 0; i < copies.length; i += 100)
      await world.registry.storage.commit(copies.slice(i, i + 100).map((copy) => tokens.inserting(copy)))
    await open(`/console/tasks/${taskId}`)
    await expect.poll(() => page.locator('.tree li').count()).toBe(500)
    await page.locator('.tree li').first().focus()
    await page.keyboard.press('End')
    await page.waitForSelector('.tree li:last-child:focus')
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await expect.poll(() => page.locator('.tree li').count()).toBe(1)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.waitForSelector('.tree li[aria-level="2"]:focus')
  })

  test('a task is created with a budget and found by its state', async () => {
    await open('/console/tasks/create')
    await expectGoodPage(page)
    await page.fill('input[name=description]', 'Invoices of March')
    await page.fill('input[name=calls]', '20')
    await page.click('main button[type=submit]')
    await page.waitForSelector('text=0 used, 0 reserved, 20 left of 20')
    await page.waitForSelector('text=No token has been issued for this task yet')
    await open('/console/tasks')
    await page.selectOption('select[name=state]', 'paused')
    await page.waitForSelector('text=There is no task in the state paused')
    await page.selectOption('select[name=state]', 'active')
    await page.waitForSelector('text=Invoices of March')
    expect(page.url()).toContain('?state=active')
    await expectGoodPage(page)
    expect(world.troubles).toEqual([])
  })
})
