// The pages in Chromium: passkeys by a virtual authenticator, the keyboard alone, accessibility.
import type { Browser as Chromium, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import { addAuthenticator, expectAccessible, hasChromium, launchChromium, picture } from '../../chromium.js'
import { askFor, poll } from '../../oauth/device/device.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'

let registry: Registry
let acme: Actor
let chromium: Chromium
let page: Page

describe.runIf(hasChromium('sign-in, passkeys, accessibility'))('in Chromium', () => {
  beforeAll(async () => {
    registry = await startRegistry({ localhost: true })
    acme = await registry.organisation('Acme')
    chromium = await launchChromium()
    const context = await chromium.newContext()
    page = await context.newPage()
    await addAuthenticator(context, page)
  }, 60_000)
  afterAll(async () => {
    await chromium?.close()
    await registry?.[Symbol.asyncDispose]()
  })

  const invite = (role: string) => acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })
  const heading = () => page.textContent('h1')

  test('an invitation opened in a browser registers a passkey, which signs the person in again; without it nobody is', async () => {
    const { code } = await invite('person')
    await page.goto(`${registry.issuer}/invitation#${code}`)
    expect(page.url()).not.toContain(code)
    await expectAccessible(page)
    await page.fill('input[name=name]', 'Pia')
    await page.click('main button')
    expect(await heading()).toBe('Create a passkey')
    expect(await page.textContent('main p')).toContain('Acme')
    await expectAccessible(page)
    await picture(page, 'invitation')
    await page.click('main button')
    await page.waitForURL('**/you')
    expect(await page.textContent('header')).toContain('Signed in as Pia')
    await expectAccessible(page)
    await picture(page, 'you')

    await page.click('header button')
    await page.waitForURL('**/sign-in')
    await page.goto(`${registry.issuer}/you`)
    expect(await heading()).toBe('Sign in')
    await expectAccessible(page)
    await picture(page, 'sign-in')
    await page.click('text=Use a passkey')
    await page.click('main button')
    await page.waitForURL('**/you')
    expect(await page.textContent('header')).toContain('Signed in as Pia')
  })

  test('a ticket in the address signs in with the keyboard alone, and does not stay in the address', async () => {
    const { url } = await acme.mutate<{ url: string }>('sessions.ticket', undefined)
    const context = await chromium.newContext()
    const other = await context.newPage()
    await other.goto(url)
    await other.waitForURL('**/sign-in/confirm')
    await expectAccessible(other)
    await other.keyboard.press('Tab')
    expect(await other.evaluate('document.activeElement.textContent.trim()')).toBe('Skip to the content')
    await other.keyboard.press('Enter')
    await other.keyboard.press('Tab')
    expect(await other.evaluate('document.activeElement.textContent')).toBe('Sign in')
    await other.keyboard.press('Enter')
    await other.waitForURL('**/you')
    expect(await other.textContent('header')).toContain("Acme's administrator")
    await context.close()
  })

  test('a device shows a code in one browser; a person types it in another one, with the keyboard and without scripts, and allows', async () => {
    const device = { signer: await newEs256Signer() }
    const { body } = await askFor(registry, device, { agent_name: 'Kitchen display' })
    const [ofDevice, ofPerson] = await Promise.all([chromium.newContext(), chromium.newContext({ javaScriptEnabled: false })])
    const [shown, typed] = await Promise.all([ofDevice.newPage(), ofPerson.newPage()])
    await shown.goto(body.verification_uri_complete)
    expect(await shown.textContent('h1')).toBe('Sign in')
    await shown.setContent(`<h1>${body.user_code}</h1>`)

    const { ticket } = await acme.mutate<{ ticket: string }>('sessions.ticket', undefined)
    await typed.goto(body.verification_uri_complete)
    await typed.fill('input[name=ticket]', ticket)
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/sign-in/confirm')
    await typed.click('main button')
    await typed.waitForURL('**/device?user_code=*')
    expect(await typed.inputValue('input[name=user_code]')).toBe(await shown.textContent('h1'))
    await typed.goto(body.verification_uri)
    await typed.focus('input[name=user_code]')
    await typed.keyboard.type(body.user_code.toLowerCase())
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/oauth/authorize?*')
    expect(await typed.textContent('main')).toContain('Kitchen display')
    await typed.focus('button[value=allow]')
    await typed.keyboard.press('Enter')
    await typed.waitForURL('**/oauth/authorize/decision')
    expect(await typed.textContent('h1')).toBe('Allowed')
    expect(await poll(registry, device, body.device_code)).toMatchObject({ status: 200, body: { client_id: expect.stringMatching(/^agt_/) } })
    await Promise.all([ofDevice.close(), ofPerson.close()])
  })

  test('the pages of a device are accessible', async () => {
    const { body } = await askFor(registry, { signer: await newEs256Signer() }, { agent_name: 'Laptop' })
    const { url } = await acme.mutate<{ url: string }>('sessions.ticket', undefined)
    const context = await chromium.newContext()
    const other = await context.newPage()
    await other.goto(url)
    await other.waitForURL('**/sign-in/confirm')
    await other.click('main button')
    await other.waitForURL('**/you')
    await other.goto(body.verification_uri)
    await expectAccessible(other)
    await other.goto(body.verification_uri_complete)
    await expectAccessible(other)
    await picture(other, 'device')
    await other.click('main button')
    await expectAccessible(other)
    await other.click('button[value=deny]')
    expect(await other.textContent('h1')).toBe('Denied')
    await expectAccessible(other)
    await context.close()
  })

  test('without scripts a person signs in by pasting a ticket', async () => {
    const { ticket } = await acme.mutate<{ ticket: string }>('sessions.ticket', undefined)
    const context = await chromium.newContext({ javaScriptEnabled: false })
    const plain = await context.newPage()
    await plain.goto(`${registry.issuer}/you`)
    await plain.fill('input[name=ticket]', ticket)
    await plain.keyboard.press('Enter')
    await plain.waitForURL('**/sign-in/confirm')
    await plain.click('main button')
    await plain.waitForURL('**/you')
    await context.close()
  })
})
