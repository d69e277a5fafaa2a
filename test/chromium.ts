// Chromium through playwright-core. .ci/run installs Debian's; without one, the tests in a browser are skipped with a loud line.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const path = process.env.CREDENCE_TEST_CHROMIUM ?? PATHS.find(existsSync)

/** Says what is skipped without a browser. */
export function hasChromium(what: string): boolean {
  if (path === undefined) console.warn(`\n*** NOT TESTED IN A BROWSER: ${what}. Install chromium, or set CREDENCE_TEST_CHROMIUM. ***\n`)
  return path !== undefined
}

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    ...(path !== undefined && { executablePath: path }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** An authenticator of the device: it makes discoverable credentials and verifies its user without asking. */
export async function addAuthenticator(context: BrowserContext, page: Page): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const MAX_PICTURE_BYTES = 60 * 1024

/** Saves the picture of a page for the documentation (`npm run screenshots`). */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env.CREDENCE_SCREENSHOTS === '1')
    await savePicture(page, name, { size: { width: 560, height: 560 }, maxBytes: MAX_PICTURE_BYTES })
}

interface PictureOptions {
  readonly size: { readonly width: number; readonly height: number }
  readonly maxBytes: number
}

/** Saves a picture of the visible part of a page as docs/images/<name>.png, in the light colour scheme. */
export async function savePicture(page: Page, name: string, { size, maxBytes }: PictureOptions): Promise<void> {
  await page.setViewportSize(size)
  await page.emulateMedia({ colorScheme: 'light' })
  const path = new URL(`../docs/images/${name}.png`, import.meta.url).pathname
  expect((await page.screenshot({ path })).length, name).toBeLessThanOrEqual(maxBytes)
}

const RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
/** The rules whose answer depends on the colour scheme. */
const COLOUR_RULES = "{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }"

/** WCAG 2.2 AA, in both colour schemes and at 360 px, where nothing may need scrolling in two directions. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.setViewportSize({ width: 360, height: 740 })
  await page.evaluate(AXE)
  for (const [colorScheme, rules] of [
    ['light', RULES],
    ['dark', COLOUR_RULES],
  ] as const) {
    await page.emulateMedia({ colorScheme })
    const violations = await page.evaluate(
      `axe.run({ runOnly: ${rules} }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
    )
    expect([page.url(), colorScheme, violations]).toEqual([page.url(), colorScheme, []])
  }
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
}
