// The pages in Chromium: a passkey by a virtual authenticator, approvals and consents, the keyboard alone, accessibility of every page, hostile texts.
import type { BrowserContext, Browser as Chromium, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { peopleStore } from '../../src/identity/people/store.js'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { newId } from '../../src/protocol/ids.js'
import { addAuthenticator, expectAccessible, hasChromium, launchChromium, picture } from '../chromium.js'
import { askFor, poll } from '../oauth/device/device.js'
import { type BrowserWorld, foreign, PAGES, startBrowserWorld } from './browser-world.js'

let world: BrowserWorld
let chromium: Chromium
/** The browser of the person who joins in the first test. */
let page: Page
/** What hostile texts have done: scripts that ran, requests to other sites, reports of the Content-Security-Policy. */
const troubles: string[] = []
const seen = new Set<string>()

const pathOf = (url: string): string | undefined =>
  PAGES.find((path) => new RegExp(`^${path.replaceAll(/:[^/]+/g, '[^/]+')}$`).test(new URL(url).pathname))

/** Checks a page of the registry, once for its path: WCAG, and that no hostile text has become an element. */
async function check(shown: Page): Promise<void> {
  const path = pathOf(shown.url()) ?? shown.url()
  if (seen.has(path)) return
  seen.add(path)
  await expectAccessible(shown)
  expect(await shown.locator('iframe, img, svg, main script, [href*=evil], [action*=evil], [onerror], [onload]').count()).toBe(0)
  if ((await shown.evaluate('window.injected')) !== undefined) troubles.push(`a script ran at ${path}`)
}

async function open(options: object = {}): Promise<{ context: BrowserContext; opened: Page }> {
  const context = await chromium.newContext(options)
  const opened = await context.newPage()
  opened.on(
    'console',
    (message) => message.type() === 'error' && /Content Security Policy/.test(message.text()) && troubles.push(message.text()),
  )
  opened.on('pageerror', (error) => troubles.push(String(error)))
  opened.on('request', (request) => new URL(request.url()).hostname.includes('evil') && troubles.push(request.url()))
  opened.on('dialog', (dialog) => troubles.push(dialog.message()))
  return { context, opened }
}

const heading = (shown: Page) => shown.textContent('h1')

/** Signs the administrator in with a ticket in the address. */
async function asAdministrator(shown: Page): Promise<void> {
  const { url } = await world.acme.mutate<{ url: string }>('sessions.ticket', undefined)
  await shown.goto(url)
  await shown.waitForURL('**/sign-in/confirm')
  await check(shown)
  await shown.click('main button')
  await shown.waitForURL('**/you')
}

/** Presses Tab until the focus is on an element with this text or value. */
async function tabTo(shown: Page, text: string): Promise<void> {
  for (let steps = 0; steps < 60; steps++) {
    await shown.keyboard.press('Tab')
    const focused = await shown.evaluate('(document.activeElement.value || document.activeElement.textContent || "").trim()')
    if (focused === text) return
  }
  throw new Error(`the keyboard does not reach ${text}`)
}

async function askForApproval(): Promise<string> {
  const { body } = await world.ownToken({ scope: 'files:write' })
  const asked = { bindingToken: body.access_request.binding_token, purpose: foreign('File the invoices of March', 512) }
  return (await world.client.mutate<{ approvalId: string }>('approvals.request', asked)).approvalId
}

/** The code with which the browser returned to the application. */
async function codeIn(shown: Page): Promise<string> {
  await shown.waitForURL(`${world.redirectUri}?*`)
  return new URL(shown.url()).searchParams.get('code') ?? ''
}

/** The resource refuses the token. How soon is a matter of test/verifier and bench/, because a browser on a busy machine is slow. */
const expectRefused = (accessToken: string) => expect.poll(() => world.call(accessToken)).toBe(401)

describe.runIf(hasChromium('sign-in, passkeys, approvals, consents, accessibility'))('in Chromium', () => {
  beforeAll(async () => {
    ;[world, chromium] = await Promise.all([startBrowserWorld(), launchChromium()])
    const { context, opened } = await open()
    page = opened
    await addAuthenticator(context, page)
  })
  afterAll(async () => {
    await chromium?.close()
    await world?.[Symbol.asyncDispose]()
  })

  test('an invited person joins with a passkey and approves, and the agent goes on', async () => {
    const code = await world.invite('member')
    await page.goto(`${world.registry.issuer}/invitation#${code}`)
    expect(page.url()).not.toContain(code)
    await check(page)
    await page.fill('input[name=name]', 'Pia')
    await page.click('main button')
    expect(await heading(page)).toBe('Join an organisation')
    await check(page)
    await picture(page, 'invitation')
    await page.click('text=Create a passkey')
    await page.waitForURL('**/you')
    expect(await page.textContent('header')).toContain('Signed in as Pia')

    const approvalId = await askForApproval()
    await page.reload()
    await page.click('text=Decide')
    await check(page)
    await picture(page, 'approval')
    await page.click('text=Approve what is ticked')
    await page.waitForURL('**/you/approvals')
    await check(page)
    const issued = await world.ownToken({ scope: 'files:write', approval_id: approvalId })
    expect([issued.status, await world.call(issued.body.access_token)]).toEqual([200, 200])
  })

  test('a person allows a part, narrows it and revokes it; the resource refuses within a second', async () => {
    await page.goto(await world.authorizationUrl())
    expect(await heading(page)).toBe('Allow an application to act for you')
    await check(page)
    await picture(page, 'consent')
    await page.uncheck('input[name=right][value$="files:find"]')
    await page.click('text=Allow what is ticked')
    const wide = await world.redeem(await codeIn(page))
    expect(wide.body.scope.split(' ').sort()).toEqual(['files:list', 'files:read'])
    expect(await world.call(wide.body.access_token)).toBe(200)

    await page.goto(`${world.registry.issuer}/you`)
    await check(page)
    await picture(page, 'you')
    await page.click('text=Show or change')
    await check(page)
    await picture(page, 'change-consent')
    await page.uncheck('input[name=scope][value="files:list"]')
    await page.click('text=Keep only what is ticked')
    await expectRefused(wide.body.access_token)
    await page.goto(await world.authorizationUrl({ scope: 'files:read' }))
    await page.click('text=Allow what is ticked')
    const narrow = await world.redeem(await codeIn(page))
    expect([narrow.body.scope, await world.call(narrow.body.access_token)]).toEqual(['files:read', 200])

    await page.goto(`${world.registry.issuer}/you/consents`)
    await check(page)
    await page.click('text=Show or change')
    await page.click('a.button')
    expect(await page.textContent('main')).toContain('files:read')
    await check(page)
    await page.click('button.danger')
    await expectRefused(narrow.body.access_token)
  })

  test('the keyboard alone decides about a request, and about an approval', async () => {
    await page.goto(await world.authorizationUrl())
    await tabTo(page, '0 files:list')
    await page.keyboard.press('Space')
    await tabTo(page, 'until')
    await page.keyboard.press('ArrowUp')
    await tabTo(page, 'allow')
    await page.keyboard.press('Enter')
    const issued = await world.redeem(await codeIn(page))
    expect(issued.body.scope.split(' ').sort()).toEqual(['files:find', 'files:read'])

    const approvalId = await askForApproval()
    await page.goto(`${world.registry.issuer}/you`)
    await tabTo(page, 'Decide')
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/${approvalId}`)
    await tabTo(page, 'Deny')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/you/approvals')
    expect(await world.client.query('approvals.get', { approvalId })).toMatchObject({ state: 'denied' })
  })

  test('a person signs in again with the passkey, and signs out everywhere', async () => {
    const { context, opened } = await open()
    await asAdministrator(opened)
    const { context: second, opened: other } = await open()
    await asAdministrator(other)
    await other.click('text=Sign out everywhere')
    await other.waitForURL('**/sign-in')
    await check(other)
    await picture(other, 'sign-in')
    await opened.goto(`${world.registry.issuer}/you`)
    expect(await heading(opened)).toBe('Sign in')

    await page.goto(`${world.registry.issuer}/you`)
    await page.click('header button')
    await page.waitForURL('**/sign-in')
    await page.click('text=Use a passkey')
    await page.waitForURL('**/passkey')
    await check(page)
    await page.click('main button')
    await page.waitForURL('**/you')
    expect(await page.textContent('header')).toContain('Signed in as Pia')
    await Promise.all([context.close(), second.close()])
  })

  test('without scripts a person signs in by pasting a ticket, and revokes a consent', async () => {
    const { ticket } = await world.acme.mutate<{ ticket: string }>('sessions.ticket', undefined)
    const { context, opened: plain } = await open({ javaScriptEnabled: false })
    await plain.goto(`${world.registry.issuer}/you`)
    await plain.fill('input[name=ticket]', ticket)
    await plain.keyboard.press('Enter')
    await plain.waitForURL('**/sign-in/confirm')
    await plain.click('main button')
    await plain.waitForURL('**/you')
    await plain.goto(await world.authorizationUrl())
    await plain.click('text=Allow what is ticked')
    const { body } = await world.redeem(await codeIn(plain))
    expect(await world.call(body.access_token)).toBe(200)
    await plain.goto(`${world.registry.issuer}/you/consents`)
    await plain.click('text=Show or change')
    await plain.click('a.button')
    await plain.click('button.danger')
    await expectRefused(body.access_token)
    await context.close()
  })

  test('a device shows a code in one browser; a person types it in another one, with the keyboard and without scripts, and allows', async () => {
    const { registry, acme } = world
    const device = { signer: await newEs256Signer() }
    const { body } = await askFor(registry, device, { agent_name: foreign('Kitchen display', 128) })
    const { ticket } = await acme.mutate<{ ticket: string }>('sessions.ticket', undefined)
    const [{ context: ofDevice, opened: shown }, { context, opened: typed }] = await Promise.all([
      open(),
      open({ javaScriptEnabled: false }),
    ])
    await shown.setContent(`<p>${body.verification_uri}</p><h1>${body.user_code}</h1>`)
    await typed.goto((await shown.textContent('p')) ?? '')
    await typed.fill('input[name=ticket]', ticket)
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/sign-in/confirm')
    await typed.click('main button')
    await typed.waitForURL('**/device')
    await typed.focus('input[name=user_code]')
    await typed.keyboard.type((await heading(shown))?.toLowerCase() ?? '')
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/oauth/authorize?*')
    expect(await typed.textContent('main')).toContain('Kitchen display')
    await typed.focus('button[value=allow]')
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/oauth/authorize/decision')
    expect(await heading(typed)).toBe('Allowed')
    const polled = await poll(registry, device, body.device_code)
    expect(polled).toMatchObject({ status: 200, body: { client_id: expect.stringMatching(/^agt_/) } })
    await Promise.all([ofDevice.close(), context.close()])
  })

  test('the pages of a device compare its code', async () => {
    const { body } = await askFor(world.registry, { signer: await newEs256Signer() }, { agent_name: foreign('Laptop', 128) })
    await page.goto(body.verification_uri_complete)
    expect(await page.inputValue('input[name=user_code]')).toBe(body.user_code)
    await check(page)
    await picture(page, 'device')
    await page.click('main button')
    seen.delete('/oauth/authorize')
    await check(page)
    await page.click('button[value=deny]')
    expect(await heading(page)).toBe('Denied')
    await expectAccessible(page)
  })

  test('every page of the table of routes is accessible, also at 360 px and in the dark; hostile texts do nothing anywhere', async () => {
    const id = newId(systemRandom, 'iss')
    const issuer = { id, orgId: world.acme.orgId, handle: newHandle(systemRandom, 'iss'), url: 'http://127.0.0.1:9/idp' }
    const more = { clientId: 'credence', authorizationOrigin: 'http://127.0.0.1:9', grantedBy: [], createdAt: 1 }
    await peopleStore(world.registry).issuers.insert({ ...issuer, ...more })
    // Agents and tasks with hostile texts
    await world.acme.tasks.create({ description: foreign('Tidy up', 1024) })
    const { context, opened } = await open()
    await asAdministrator(opened)
    seen.delete('/you')
    await check(opened)
    await context.close()
    for (const path of ['/', `/sign-in/${id}`, `/sign-in/${id}/callback`]) {
      await page.goto(world.registry.issuer + path)
      await check(page)
    }
    expect([...seen].sort()).toEqual([...PAGES].sort())
    expect(troubles).toEqual([])
  })
})
