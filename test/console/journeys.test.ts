// The ten questions of the console, each from the overview with at most four clicks or key presses; what is typed into a field does not count.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import { codeFor, type PersonWorld, personWorld, redeem } from '../oauth/authorize/person-world.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const MAX_PRESSES = 4

describe.runIf(hasChromium('the ten questions of the console'))('from the overview', () => {
  let world: ConsoleWorld
  let people: PersonWorld
  let taskId: string
  const pages = new Map<Actor, Page>()
  let presses = 0

  beforeAll(async () => {
    world = await startConsoleWorld()
    const { registry } = world
    people = await personWorld(registry)
    const { client, ocr, admin } = people
    ;({ taskId } = await client.tasks.create({ description: 'Read the invoices of March' }))
    await client.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId })
    const until = new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10)
    const asked = { resource: ocr.audience, scope: 'ocr:read offline_access', prompt: 'consent' }
    await redeem(registry, people, await codeFor(registry, people, asked, { duration: 'until', until }))
    await admin.mutate('agents.change', { agentId: client.agentId, description: 'plans', note: 'asked for by sales' })
  }, 120_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  /** The overview of an actor, with no press counted yet. */
  async function overviewOf(actor: Actor): Promise<Page> {
    const page = pages.get(actor) ?? (await world.open(actor))
    pages.set(actor, page)
    await show(page, `${world.registry.issuer}/console`)
    presses = 0
    return page
  }
  async function press(page: Page, selector: string): Promise<void> {
    presses++
    await page.locator(selector).first().click()
  }
  async function key(page: Page, name: string): Promise<void> {
    presses++
    await page.keyboard.press(name)
  }
  const within = (page: Page) => {
    expect(presses).toBeLessThanOrEqual(MAX_PRESSES)
    expect(world.troubles).toEqual([])
    return page
  }
  const typeName = async (page: Page) =>
    page.fill('#confirm-name', await page.locator('dialog label[for=confirm-name] :is(.foreign, code)').innerText())

  test('who may call my agent, and stop one of them', async () => {
    const page = await overviewOf(people.calledAdmin)
    await press(page, 'section[aria-label=Agents] li:has-text("OCR") >> text=who calls it')
    await press(page, '.rows li:has-text("ocr:admin") >> text=Revoke')
    await page.waitForSelector('dialog >> text=/token/')
    await typeName(page)
    await press(page, 'dialog button.danger')
    await expect.poll(() => page.locator('.rows li:has-text("ocr:admin") .state.good').count()).toBe(0)
    within(page)
  })

  test('what did this agent do today, for whom', async () => {
    const page = await overviewOf(people.admin)
    await press(page, 'section[aria-label=Agents] li:has-text("Planner") >> text=what it did since yesterday')
    await press(page, `.rows li:has-text("oauth.token") >> nth=0 >> text=oauth.token`)
    await page.waitForSelector('dialog dt:has-text("for whom")')
    within(page)
  })

  test('which tokens live under this task, and end them', async () => {
    const page = await overviewOf(people.admin)
    await press(page, 'section[aria-label="Active tasks"] >> text=Read the invoices of March')
    await page.waitForSelector('.tree >> text=ocr:read')
    await press(page, 'main button.danger')
    await typeName(page)
    await press(page, 'dialog button.danger')
    await page.waitForSelector('.tree li.revoked')
    within(page)
  })

  test('approve what waits, narrower than asked', async () => {
    const { client, ocr } = people
    const delegation = { depth: 1, rights: [{ audience: people.archive.audience, scope: 'ocr:read' }] }
    const request = { to: ocr.agentId, purpose: 'again', scopes: ['ocr:read', 'ocr:admin'], delegation }
    const { introductionId } = await client.introductions.request(request)
    const page = await overviewOf(people.calledAdmin)
    await press(page, 'section[aria-label="Needs you"] li:has-text("again") a')
    await press(page, 'main button:has-text("Decide")')
    await press(page, 'dialog label.choice:has-text("ocr:admin") input')
    await press(page, 'dialog button:has-text("Approve what is ticked")')
    await expect.poll(async () => (await ocr.introductions.get(introductionId)).bounds?.scopes).toEqual(['ocr:read'])
    within(page)
  })

  test('what does a stranger see of my card', async () => {
    const page = await overviewOf(people.calledAdmin)
    await press(page, 'section[aria-label=Agents] li:has-text("OCR") >> text=its card')
    await page.waitForSelector('section[aria-label="An anonymous caller"] >> text=Ocelot OCR')
    within(page)
  })

  test('find an agent for a need, and ask for an introduction', async () => {
    const page = await overviewOf(people.admin)
    await page.fill('input[name=need]', 'scanned documents')
    await key(page, 'Enter')
    await press(page, '.rows li >> text=Request an introduction')
    await page.selectOption('select[name=from]', { index: 0 })
    await page.fill('input[name=purpose]', 'read invoices')
    await press(page, 'label:has-text("ocr:read") input')
    await press(page, 'main button:has-text("Request")')
    await page.waitForSelector('text=/The request is waiting for a decision|The introduction is granted/')
    within(page)
  })

  test('a key is lost: replace it', async () => {
    const page = await overviewOf(people.admin)
    await press(page, 'section[aria-label=Agents] li:has-text("Planner") a >> nth=0')
    await press(page, 'main button:has-text("Issue a code")')
    await page.waitForSelector('text=credence login --registry')
    within(page)
  })

  test("who changed this agent's ceiling, when and why", async () => {
    const page = await overviewOf(people.admin)
    await press(page, 'section[aria-label=Agents] li:has-text("Planner") >> text=its changes')
    await press(page, '.rows li:has-text("asked for by sales") >> text=agents.change')
    await page.waitForSelector('dialog >> text=asked for by sales')
    within(page)
  })

  test('which of my consents were used last week, and revoke one', async () => {
    const page = await overviewOf(people.person)
    await page.waitForSelector('section[aria-label="Your consents"] >> text=/last used|never used/')
    await press(page, 'section[aria-label="Your consents"] li a')
    await press(page, 'main button:has-text("Revoke the consent")')
    await typeName(page)
    await press(page, 'dialog button.danger')
    await page.waitForSelector('output:has-text("Revoked.")')
    within(page)
  })

  test('is the registry healthy, and is anybody behind', async () => {
    const page = await overviewOf(world.registry.operator)
    await page.waitForSelector('section[aria-label="Health of the registry"] dt:has-text("other subscribers")')
    await page.waitForSelector('dt:has-text("warnings") + dd:has-text("none")')
    expect(presses).toBe(0)
    within(page)
  })

  test('with the keyboard alone, on a screen of 360 px, a task is ended', async () => {
    const task = await people.client.tasks.create({ description: 'Another task' })
    const page = await overviewOf(people.admin)
    await page.setViewportSize({ width: 360, height: 740 })
    await tabTo(page, 'Another task')
    await page.keyboard.press('Enter')
    await page.waitForSelector('main button.danger')
    await tabTo(page, 'End')
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog')
    await tabTo(page, '', 'confirm-name')
    await page.keyboard.type(await page.locator('dialog label[for=confirm-name] :is(.foreign, code)').innerText())
    await tabTo(page, await page.locator('dialog button.danger').innerText())
    await page.keyboard.press('Enter')
    await page.waitForSelector('dl .state:has-text("ended")')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    expect((await people.client.tasks.get(task.taskId)).state).toBe('ended')
    await expectGoodPage(page)
    within(page)
  })
})

/** Presses Tab until the focus is on an element with this text, or with this id. */
async function tabTo(page: Page, text: string, id = ''): Promise<void> {
  for (let steps = 0; steps < 80; steps++) {
    await page.keyboard.press('Tab')
    const [focused, focusedId] = (await page.evaluate(
      '[(document.activeElement.textContent || "").trim(), document.activeElement.id]',
    )) as [string, string]
    if (id === '' ? focused === text : focusedId === id) return
  }
  throw new Error(`the keyboard does not reach ${text || id}`)
}
