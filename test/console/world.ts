// A registry with a host name, Chromium, and consoles of people who are signed in. Needs a build (dist/console).
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { expectAccessible, launchChromium } from '../chromium.js'
import { signedIn } from '../identity/people/browser.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'

export interface ConsoleWorld extends AsyncDisposable {
  readonly registry: Registry
  readonly chromium: Browser
  /** Scripts of others that ran, requests to other sites, violations of the Content-Security-Policy, uncaught errors. */
  readonly troubles: string[]
  /** Signs the actor in with a new browser, and opens a page of the console. */
  open(actor: Actor, path?: string): Promise<Page>
}

export async function startConsoleWorld(options: Parameters<typeof startRegistry>[0] = {}): Promise<ConsoleWorld> {
  const [registry, chromium] = await Promise.all([
    startRegistry({ localhost: true, clock: runningClock(), servers: 1, ...options }),
    launchChromium(),
  ])
  const troubles: string[] = []
  return {
    registry,
    chromium,
    troubles,
    open: async (actor, path = '/console') => {
      const { cookies } = await signedIn(registry, actor)
      const context = await chromium.newContext()
      await context.addCookies(Array.from(cookies, ([name, value]) => ({ name, value, url: registry.issuer })))
      const page = await context.newPage()
      watch(page, registry.issuer, troubles)
      await show(page, registry.issuer + path)
      return page
    },
    [Symbol.asyncDispose]: async () => {
      await chromium.close()
      await registry[Symbol.asyncDispose]()
    },
  }
}

function watch(page: Page, issuer: string, troubles: string[]): void {
  page.on(
    'console',
    (message) => message.type() === 'error' && /Content Security|TrustedHTML/.test(message.text()) && troubles.push(message.text()),
  )
  page.on('pageerror', (error) => troubles.push(String(error)))
  page.on('request', (request) => request.url().startsWith(issuer) || troubles.push(`a request to ${request.url()}`))
  page.on('dialog', (dialog) => troubles.push(dialog.message()))
}

/** Opens an address, and waits for the page and for the revocation feed. */
export async function show(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForSelector('main h1')
  await page.waitForSelector('nav output:has-text("Live")')
}

/** Checks a page of the console: WCAG 2.2 AA in both colour schemes, and 360 px without scrolling sideways. */
export async function expectGoodPage(page: Page): Promise<void> {
  await expect.poll(() => page.locator('main >> text=Loading…').count()).toBe(0)
  await expectAccessible(page)
  await page.setViewportSize({ width: 1280, height: 800 })
  expect(await page.locator('main iframe, main img, main script, main [onerror], main [onload]').count()).toBe(0)
}
