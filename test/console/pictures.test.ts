// Pictures of the console for the documentation, from the data of the demo: `npm run screenshots`. Otherwise nothing runs.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawnNode } from '../child.mjs'
import { launchChromium, savePicture } from '../chromium.js'
import { TAKES_PICTURES } from '../stories/browser-world.js'

const DEMO_MS = 300_000
/** PNG compresses areas of one colour well: a page of text takes about 80 KB. */
const MAX_BYTES = 150 * 1024
const DESK = { width: 1280, height: 800 }
const PHONE = { width: 360, height: 740 }

describe.runIf(TAKES_PICTURES)('pictures of the console', () => {
  let demo: ChildProcess
  let chromium: Browser
  let page: Page
  beforeAll(async () => {
    const started = await startDemo()
    demo = started.demo
    chromium = await launchChromium()
    page = await (await chromium.newContext({ viewport: DESK, colorScheme: 'light', deviceScaleFactor: 1 })).newPage()
    await page.goto(started.consoleUrl)
    await page.waitForURL('**/sign-in/confirm')
    await page.click('main button')
    await page.waitForURL('**/console')
  }, DEMO_MS)
  afterAll(async () => {
    await chromium?.close()
    demo?.kill('SIGTERM')
  })

  /** Shows a page by its link in the navigation, so that the session goes on. */
  async function follow(label: string, heading = label): Promise<void> {
    await page.click(`nav.places >> text="${label}"`)
    await page.waitForSelector(`main h1:text-is("${heading}")`)
    await settled()
  }

  async function settled(): Promise<void> {
    await page.waitForSelector('nav output:has-text("Live")')
    await expect.poll(() => page.locator('main >> text=Loading…').count(), { timeout: 10_000 }).toBe(0)
    await page.evaluate(() => document.fonts.ready)
  }

  const save = (name: string, size = DESK) => savePicture(page, `console-${name}`, { size, maxBytes: MAX_BYTES })

  test('the overview, also on a phone', async () => {
    await settled()
    await save('overview')
    await save('overview-360', PHONE)
    await page.setViewportSize(DESK)
  })

  test('who can call whom, as a graph', async () => {
    await follow('Who can call whom')
    await page.waitForSelector('main svg')
    await page.locator('main svg').first().scrollIntoViewIfNeeded()
    await save('reach')
  })

  test('the inbox, with the decision about a request', async () => {
    await follow('Inbox')
    await page.waitForSelector('main .rows li')
    await page.keyboard.press('j')
    await page.keyboard.press('a')
    await page.waitForSelector('dialog >> text=Approve what is ticked')
    await settled()
    await save('inbox')
    await page.keyboard.press('Escape')
  })

  test('the tokens under a task', async () => {
    await follow('Tasks')
    await page.click('main .rows >> text=the invoices of July')
    await page.waitForSelector('main h1')
    await settled()
    await save('task')
  })

  test('a card as three kinds of callers see it', async () => {
    await follow('Agents')
    const agentId = /agt_[\w-]+/.exec((await page.getAttribute('main .rows a:has-text("Travel desk")', 'href')) ?? '')?.[0]
    await page.click('main .rows a:has-text("Travel desk")')
    await page.waitForSelector(`main a[href="/console/cards/${agentId}"]`)
    await page.click(`main a[href="/console/cards/${agentId}"]`)
    await page.waitForURL(`**/console/cards/${agentId}`)
    await settled()
    await page.locator('main h2:has-text("Who sees what")').evaluate((heading) => heading.scrollIntoView())
    await save('card')
  })

  test('the proof of a log entry', async () => {
    await follow('Log', 'Trust log')
    await page.click('main .rows li a >> nth=2')
    await page.waitForURL(/\/console\/log\/\d+/)
    await settled()
    await save('proof')
  })
})

/** Runs the demo, and resolves when it has printed the address of the console. */
async function startDemo(): Promise<{ readonly demo: ChildProcess; readonly consoleUrl: string }> {
  const demo = spawnNode([new URL('../../examples/demo/main.js', import.meta.url).pathname, '--stay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CI: '1' },
  })
  const exited = once(demo, 'exit').then(() => Promise.reject(new Error('the demo has ended')))
  let text = ''
  const printed = new Promise<string>((resolve) =>
    demo.stdout?.on('data', (chunk) => {
      text += chunk
      const [url] = /http:\/\/127\.0\.0\.1:\d+\/console/.exec(text) ?? []
      if (url !== undefined) resolve(url)
    }),
  )
  return { demo, consoleUrl: await Promise.race([printed, exited]) }
}
