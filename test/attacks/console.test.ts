// Attacks on the web console: texts of others on every page, other sites, the token of the page, sessions that have ended.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES } from '../../console/routes.js'
import { hasChromium } from '../chromium.js'
import { show } from '../console/world.js'
import { signedIn } from '../identity/people/browser.js'
import type { Actor } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { type HostileWorld, MARKS, startHostileWorld } from './hostile-world.js'

/** Marks of direction and controls, which a text of others must not bring into a page. */
const INVISIBLE = /(?![\n\t])[\p{Cc}\p{Cf}]/u

describe.runIf(hasChromium('attacks on the console'))('console', () => {
  let world: HostileWorld
  beforeAll(async () => {
    world = await startHostileWorld()
  }, 120_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  /** The addresses of all pages, with the ids of the things that have hostile texts. */
  const addresses = (): string[] => [
    '/console',
    ...Object.keys(ROUTES).flatMap((pattern) => {
      const [, name] = /:(\w+)/.exec(pattern) ?? []
      return name === undefined ? [pattern] : (world.ids[name] ?? [`no id for ${name}`]).map((id) => pattern.replace(`:${name}`, id))
    }),
    `/console/find?text=ocr`,
  ]

  /** Visits every page as a person; adds to `seen` the marks that stood in a text of others. */
  async function visitAll(actor: Actor, seen: Set<string>): Promise<void> {
    const page = await world.open(actor, '/console')
    for (const address of addresses()) {
      await goTo(page, address)
      await expectInert(page, address)
      const foreign = await page.locator('main .foreign').allTextContents()
      for (const mark of MARKS) if (foreign.some((text) => text.includes(mark))) seen.add(mark)
    }
    await page.context().close()
  }

  /** Follows an address inside the console, as a link does. */
  async function goTo(page: Page, address: string): Promise<void> {
    const loaded = page.waitForURL((url) => url.pathname + url.search === address)
    await page.evaluate((path) => {
      const link = Object.assign(document.createElement('a'), { href: path })
      document.querySelector('.console')?.append(link)
      link.click()
      link.remove()
    }, address)
    await loaded
    await page.waitForSelector('main h1')
    await expect.poll(() => page.locator('main >> text=Loading…').count(), { timeout: 10_000 }).toBe(0)
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true
    })
  }

  /** No text of others has become an element, an address, a script or a change of direction. */
  async function expectInert(page: Page, address: string): Promise<void> {
    const elements =
      'iframe, img, object, embed, main script, main form[action*="evil"], [href*="evil"], [src*="evil"], [onerror], [onload]'
    expect([address, await page.locator(elements).count()]).toEqual([address, 0])
    expect([address, await page.locator('a[href^="javascript" i], a[href^="data" i]').count()]).toEqual([address, 0])
    expect([address, await page.evaluate('window.injected')]).toEqual([address, undefined])
    expect([address, INVISIBLE.exec(await page.locator('body').innerText())?.[0]]).toEqual([address, undefined])
    expect([address, await textsOutsideMarks(page)]).toEqual([address, []])
    expect([address, world.troubles]).toEqual([address, []])
  }

  /** Hostile texts that are shown without a mark that they are texts of others. */
  const textsOutsideMarks = (page: Page): Promise<string[]> =>
    page.evaluate(() => {
      const found: string[] = []
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const isMarked = node.parentElement?.closest('.foreign, option, pre, textarea') !== null
        if (node.nodeValue?.includes('window.injected') && !isMarked) found.push(node.nodeValue)
      }
      return found
    })

  test('A2A-08 hostile texts in every field that others write do nothing on any page, for an administrator, an operator and a person', async () => {
    const seen = new Set<string>()
    await visitAll(world.acme, seen)
    await visitAll(world.registry.operator, seen)
    await visitAll(world.mia, seen)
    expect(MARKS.filter((mark) => !seen.has(mark))).toEqual([])
  }, 240_000)

  test('A2A-09 an approver sees the whole request without hidden characters, and approves exactly the names that were shown', async () => {
    const { acme, caller, target } = world
    const lookAlike = 'r\u0435ad'
    const purpose = `Read \u001b[2K\u202Eeverything\u2066 ${'and more '.repeat(40)}THE END`
    const asked = { to: target.agentId, scopes: ['ocr:read'], tools: ['read', lookAlike, 'delete'], purpose }
    const { introductionId } = await caller.introductions.request(asked)
    const page = await world.open(acme, `/console/inbox?item=${introductionId}&verb=approve`)
    await page.waitForSelector('dialog >> text=Approve what is ticked')
    const shown = await page.locator('dialog').innerText()
    expect(INVISIBLE.exec(shown)?.[0]).toBeUndefined()
    expect(shown).toContain('THE END')
    expect(shown).toContain('\\u{435}')
    const boxes = page.locator('dialog label.choice', { has: page.locator('input:checked') })
    expect((await boxes.allInnerTexts()).map((text) => text.split(/[\s(]/)[0])).toEqual(
      expect.arrayContaining(['read', lookAlike, 'delete']),
    )
    await page.locator('dialog label.choice', { hasText: '\\u{435}' }).locator('input').uncheck()
    const sent = page.waitForRequest((request) => request.url().includes('/trpc/introductions.approve'))
    await page.click('dialog >> text=Approve what is ticked')
    expect((await sent).postDataJSON()).toMatchObject({ introductionId, tools: ['read', 'delete'] })
    await expect.poll(async () => (await acme.introductions.get(introductionId)).bounds?.tools).toEqual(['read', 'delete'])
    expect(world.troubles).toEqual([])
    await page.context().close()
  })

  test('CARD-14 a script in place of an icon is refused, and an icon of another site is an inert text', async () => {
    const page = await world.open(world.acme, `/console/cards/${world.target.agentId}`)
    await page.waitForSelector('main >> text=https://evil.example/icon.svg')
    expect(await page.locator('img, svg image, link[rel=icon][href*=evil], [style*="evil"]').count()).toBe(0)
    expect(world.troubles).toEqual([])
    const { card } = await world.target.card(world.target.agentId)
    for (const iconUrl of ['javascript:alert(1)', `data:image/svg+xml,${'x'.repeat(70_000)}`])
      expect(['bad_input', 'card_invalid', 'too_large']).toContain(await reasonOf(world.target.publish({ card: { ...card, iconUrl } })))
    await page.context().close()
  })

  test('OAU-32 no other site gets a token of the page, no cookie alone calls a procedure, and no frame shows the console', async () => {
    const { registry, acme, pendingId } = world
    const browser = await signedIn(registry, acme)
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const shown = await browser.get('/console')
    const csrf = /<meta name="csrf-token" content="([^"]+)"/.exec(shown.text)?.[1] ?? ''
    expect(csrf).not.toBe('')
    const status = async (path: string, init: RequestInit) => (await registry.fetch(path, { redirect: 'manual', ...init })).status
    const token = (headers: Record<string, string>, method = 'POST') =>
      status('/session/token', { method, headers: { cookie, ...headers } })
    const origin = registry.issuer
    expect(await token({ origin })).toBe(403)
    expect(await token({ origin: 'https://evil.example', 'x-csrf-token': csrf })).toBe(403)
    expect(await token({ origin: 'null', 'x-csrf-token': csrf })).toBe(403)
    expect(await token({ 'x-csrf-token': csrf })).toBe(403)
    expect(await token({ origin, 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await token({ 'x-csrf-token': csrf }, 'GET')).toBe(405)

    const introductionId = pendingId
    for (const path of ['introductions.approve', 'introductions.deny', 'introductions.revoke', 'agents.revoke'])
      for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded'])
        expect([401, 415]).toContain(
          await status(`/trpc/${path}`, {
            method: 'POST',
            headers: { cookie, origin, 'content-type': type },
            body: JSON.stringify({ introductionId }),
          }),
        )
    expect(await acme.introductions.get(introductionId)).toMatchObject({ state: 'pending' })

    expect(shown.headers.get('x-frame-options')).toBe('DENY')
    const policy = shown.headers.get('content-security-policy') ?? ''
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
      expect(policy).toContain(rule)
    expect(policy).not.toContain('unsafe')
    const foreignRead = await registry.fetch('/console', { headers: { cookie, origin: 'https://evil.example' } })
    expect(foreignRead.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('the token of the page is in no storage, and no script can export its key', async () => {
    const page = await (await world.chromium.newContext()).newPage()
    await page.addInitScript(() => {
      const { subtle } = crypto
      const generateKey = subtle.generateKey.bind(subtle)
      const made: boolean[] = []
      Object.assign(globalThis, { extractable: made })
      subtle.generateKey = (async (...args: Parameters<typeof generateKey>) => {
        made.push(args[1])
        return generateKey(...args)
      }) as typeof subtle.generateKey
    })
    const tokens = new Set<string>()
    page.on('request', (request) => {
      const [, token] = /^DPoP (.+)$/.exec(request.headers().authorization ?? '') ?? []
      if (token !== undefined) tokens.add(token)
    })
    const { url } = await world.acme.mutate<{ url: string }>('sessions.ticket', { returnTo: '/console' })
    await page.goto(url)
    await page.waitForURL('**/sign-in/confirm')
    await page.click('main button')
    await page.waitForURL('**/console')
    await page.waitForSelector('nav output:has-text("Live")')
    await show(page, `${world.registry.issuer}/console/agents`)
    await expect.poll(() => tokens.size).toBeGreaterThan(1)
    expect(await page.evaluate('extractable')).not.toContain(true)
    expect(await page.evaluate('extractable.length')).toBeGreaterThan(0)
    const stored = await page.evaluate(async () =>
      JSON.stringify([
        Object.entries(localStorage),
        Object.entries(sessionStorage),
        document.cookie,
        await indexedDB.databases(),
        await caches.keys(),
        document.documentElement.outerHTML,
        Object.values(globalThis).filter((value) => typeof value === 'string'),
        location.href,
        history.state,
      ]),
    )
    const cookies = JSON.stringify(await page.context().storageState())
    for (const token of tokens)
      for (const text of [stored, cookies]) expect([token, token.split('.')[2] ?? token].some((part) => text.includes(part))).toBe(false)
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(await page.evaluate('localStorage.length')).toBe(0)
    await page.context().close()
  })

  test('a sign-out in another tab ends the token and the feed at once: the page says so, and shows nothing more', async () => {
    const page = await world.open(world.acme, '/console')
    await goTo(page, '/console/agents')
    const tab = await page.context().newPage()
    await tab.goto(`${world.registry.issuer}/you`)
    await tab.click('header button')
    await tab.waitForURL('**/sign-in')
    // Without a click, because the feed of the page has ended, too
    await page.waitForSelector('main [role=alert]:has-text("Your session has ended")')
    expect(await page.textContent('main')).not.toContain('Target agent')
    await page.context().close()
  })

  test("a revoked member's console is dead at the next click", async () => {
    const { registry, acme } = world
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const tom = await registry.join(code, 'Tom')
    const page = await world.open(tom, '/console/agents')
    await page.waitForSelector('main .rows')
    await acme.mutate('members.revoke', { memberId: tom.clientId })
    await page.click('nav >> text=Tasks')
    await page.waitForSelector('main [role=alert]:has-text("Your session has ended")')
    await page.reload()
    await page.waitForURL('**/sign-in')
    await page.context().close()
  })
})
