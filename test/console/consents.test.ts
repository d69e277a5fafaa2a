// Consents: which of mine were used last week, narrow one, revoke one, and what an administrator sees of them.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { USE_RECORDS } from '../../src/delegation/uses/store.js'
import { hasChromium } from '../chromium.js'
import { signedIn } from '../identity/people/browser.js'
import { codeFor, type PersonWorld, redeem } from '../oauth/authorize/person-world.js'
import type { Actor, AgentActor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const uri = 'http://127.0.0.1:9/files'
const redirect = 'https://client.example/callback'
const HOSTILE = 'See your files <img src=x onerror=alert(1)>'

describe.runIf(hasChromium('the consents of the console'))('consents', () => {
  let world: ConsoleWorld
  let acme: Actor
  let person: Actor
  let client: AgentActor
  let page: Page
  beforeAll(async () => {
    world = await startConsoleWorld()
    const { registry } = world
    acme = await registry.organisation('Acme')
    const scopes = ['files:read', 'files:write', 'files:list'].map((scope) => ({ scope, words: HOSTILE }))
    await acme.mutate('resources.register', { uri, name: 'Files of Acme', scopes, policy: { mode: 'open', people: 'any' } })
    const rights = scopes.map(({ scope }) => ({ audience: uri, scope }))
    client = await registry.agent({ registeredBy: acme, name: 'Planner', ceiling: { rights } })
    await acme.mutate('agents.change', { agentId: client.agentId, redirectUris: [redirect] })
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    person = await registry.join(code, 'Pia')
    page = await world.open(person, '/console/consents')
  }, 90_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  const open = (path: string, on = page) => show(on, world.registry.issuer + path)

  /** The person consents; the client has a token and a refresh token. */
  const aConsent = async (scope = 'files:read files:write offline_access') => {
    const { registry } = world
    // Only the client and the browser take part
    const persons = { client, ocr: client, person, browser: await signedIn(registry, person) } as unknown as PersonWorld
    const until = new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10)
    const asked = { redirect_uri: redirect, resource: uri, scope, prompt: 'consent' }
    const code = await codeFor(registry, persons, asked, { duration: 'until', until })
    await redeem(registry, persons, code, { redirect_uri: redirect, resource: uri })
    const { items } = await person.query<{ items: { consentId: string; state: string }[] }>('consents.list')
    const consentId = items.find(({ state }) => state === 'valid')?.consentId
    if (consentId === undefined) throw new Error('there is no consent')
    return consentId
  }

  test('a person finds which consents were used last week, narrows one and revokes it', async () => {
    await page.waitForSelector('text=No application may act for you.')
    const consentId = await aConsent()
    await open('/console/consents')
    await page.check('text=Only those used in the last 7 days')
    await page.waitForSelector('text=No consent was used in the last 7 days.')
    const now = world.registry.clock.now()
    const records = world.registry.storage.collection(USE_RECORDS)
    const used = { id: `consent ${consentId}`, orgId: acme.orgId, count: 1, lastUsedAt: now, days: [], purgeAt: now + 86_400 }
    await world.registry.storage.commit([records.inserting(used)])
    await open('/console/consents?used=week')
    await page.waitForSelector('.rows li:has-text("Planner at Files of Acme")')
    await expectGoodPage(page)
    await page.click('.rows a')
    await page.waitForSelector('section[aria-label="What it allows"] >> text=See your files')
    await page.waitForSelector('section[aria-label="Families of refresh tokens"] .state:has-text("valid")')
    await expectGoodPage(page)
    await page.uncheck('label:has-text("files:write") input')
    await page.click('text=Keep only what is ticked')
    await page.waitForSelector('output:has-text("Narrowed.")')
    await expect.poll(() => page.locator('section[aria-label="What it allows"] >> text=files:write').count()).toBe(0)
    await page.click('text=Revoke the consent')
    await page.waitForSelector('dialog:has-text("0 active tokens and 1 family of refresh tokens will end")')
    await page.fill('#confirm-name', await page.locator('dialog label[for=confirm-name] code').innerText())
    await page.click('dialog button.danger')
    await page.waitForSelector('output:has-text("Revoked. 0 active tokens and 1 family of refresh tokens ended")')
    await page.waitForSelector('dl .state:has-text("revoked")')
    await page.waitForSelector('section[aria-label="Families of refresh tokens"] .state:has-text("revoked")')
    expect(world.troubles).toEqual([])
  })

  test('a revocation elsewhere changes the page within a second, and a family is revoked alone', async () => {
    const consentId = await aConsent()
    await open(`/console/consents/${consentId}`)
    const families = page.locator('section[aria-label="Families of refresh tokens"]')
    await families.locator('button.danger').click()
    const { items } = await person.query<{ items: { familyId: string }[] }>('families.list', { consentId })
    await page.fill('dialog input', items[0]?.familyId ?? '')
    await page.click('dialog button.danger')
    await page.waitForSelector('section[aria-label="Families of refresh tokens"] .state:has-text("revoked")')
    expect(await page.locator('dl .state').first().textContent()).toBe('valid')
    await person.mutate('consents.revoke', { consentId })
    await page.waitForSelector('dl .state:has-text("revoked")', { timeout: 1000 })
    expect(world.troubles).toEqual([])
  })

  test('an administrator sees the consents of a person and to an agent, and can revoke but not narrow one', async () => {
    const consentId = await aConsent()
    const admin = await world.open(acme, '/console/consents')
    await admin.selectOption('select[name=member]', person.clientId)
    await admin.waitForSelector('.rows .state:has-text("valid")')
    expect(admin.url()).toContain(`?member=${person.clientId}`)
    await admin.selectOption('select[name=client]', client.agentId)
    await admin.waitForSelector('.rows .state:has-text("valid")')
    await expectGoodPage(admin)
    await open(`/console/consents/${consentId}`, admin)
    await admin.waitForSelector('text=Revoke the consent')
    expect(await admin.locator('text=Keep only what is ticked').count()).toBe(0)
    await admin.click('text=Revoke the consent')
    await admin.waitForSelector('dialog:has-text("1 active token and 1 family of refresh tokens will end")')
    expect(world.troubles).toEqual([])
  })
})
