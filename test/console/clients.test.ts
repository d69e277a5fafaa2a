// External clients, the rules about them, and registration grants.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const HOSTILE = 'Reader <img src=x onerror=alert(1)>'

describe.runIf(hasChromium('the clients of the console'))('clients', () => {
  let world: ConsoleWorld
  let acme: Actor
  let page: Page
  beforeAll(async () => {
    world = await startConsoleWorld({ registration: 'token' })
    acme = await world.registry.organisation('Acme')
    page = await world.open(acme, '/console/clients')
  }, 90_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  const open = (path: string, on = page) => show(on, world.registry.issuer + path)

  test('the token of a registration grant is shown once; a client that registers with it is allowed and revoked', async () => {
    await page.waitForSelector('text=Your organisation uses no external client.')
    await page.click('text=Registration grants')
    await page.waitForSelector('text=Your organisation has no registration grant.')
    await page.uncheck('label:has-text("Act as an agent") input')
    await page.check('label:has-text("Act for people") input')
    await page.click('main button[type=submit]')
    const token = await page.textContent('section[aria-label="Initial access token"] .command')
    await expectGoodPage(page)
    const registered = await world.registry.fetch('/oauth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({
        client_name: HOSTILE,
        redirect_uris: ['https://app.example/callback'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      }),
    })
    expect([registered.status, await registered.clone().text()]).toEqual([201, expect.any(String)])
    const { client_id: clientId } = (await registered.json()) as { client_id: string }
    await page.click('text=Hide the token')
    expect(await page.locator(`text=${token}`).count()).toBe(0)
    await page.click('.rows button.danger')
    await page.fill('dialog input', (await page.textContent('.rows code')) ?? '')
    await page.click('dialog button.danger')
    await page.waitForSelector('text=Your organisation has no registration grant.')
    await open('/console/clients')
    await page.waitForSelector('.rows li:has-text("Reader <img")')
    await expectGoodPage(page)
    await page.click('.rows a')
    // The list has a button "Allow" too
    await page.click('section[aria-label=Allow] button')
    await page.waitForSelector('button:has-text("Disallow")')
    await expectGoodPage(page)
    await page.click('text=Revoke the client')
    await page.fill('dialog input', clientId)
    await page.click('dialog button.danger')
    await page.waitForSelector('dl .state:has-text("revoked")')
    expect(await page.locator('main button').count()).toBe(0)
    expect(world.troubles).toEqual([])
  })

  test('administrators set the rules, and members only read them', async () => {
    await open('/console/clients/rules')
    await page.selectOption('select[name=externalClients]', 'none')
    await page.fill('input[name=adminScopes]', 'files:write files:delete')
    await page.click('main button[type=submit]')
    await page.waitForSelector('output:has-text("Saved.")')
    await expectGoodPage(page)
    expect(await acme.query('clients.rules')).toMatchObject({ externalClients: 'none', adminScopes: ['files:write', 'files:delete'] })
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const member = await world.open(await world.registry.join(code, 'Max'), '/console/clients/rules')
    await member.waitForSelector('dd:has-text("files:delete")')
    expect(await member.locator('main form').count()).toBe(0)
    await open('/console/clients', member)
    expect(await member.locator('text=Allow a client').count()).toBe(0)
    expect(world.troubles).toEqual([])
  })
})
