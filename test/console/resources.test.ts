import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('resources of the console'))('resources, namespaces and sign-in providers', () => {
  let world: ConsoleWorld
  let acme: Actor
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('a resource is registered, gets tokens that the page shows, is changed and revoked', async () => {
    const page = await world.open(acme, '/console/resources')
    await page.fill('input[name=uri]', 'http://127.0.0.1:9/mcp')
    await page.fill('input[name=name]', 'Files <i>')
    await page.fill('input[name=scope]', 'files:read')
    await page.fill('input[name=words]', 'Read <script>files')
    await page.click('button:has-text("Register the resource")')
    await page.waitForSelector('h1:has-text("Resource")')
    await page.waitForSelector('dl .state:has-text("unproved")')
    const resourceId = page.url().split('/').at(-1)
    await world.registry.operator.mutate('resources.confirm', { resourceId })
    await acme.mutate('resources.change', { resourceId, policy: { mode: 'open' } })
    await page.waitForSelector('dl .state:has-text("proved"):not(:has-text("unproved"))')
    const audience = 'http://127.0.0.1:9/mcp'
    const agent = await world.registry.agent({
      registeredBy: acme,
      ceiling: { rights: [{ audience, scope: 'files:read' }] },
      name: 'Reader',
    })
    await agent.exchange({ audience })
    await page.waitForSelector('.rows >> text=Reader')
    await expectGoodPage(page)
    await page.click('summary:has-text("Settings")')
    await page.fill('input[name=description]', 'The files of Acme')
    await page.click('button:has-text("Save")')
    await page.waitForSelector('dd:has-text("The files of Acme")')
    await page.click('button:has-text("Revoke the resource")')
    await page.waitForSelector('dialog >> text=1 token in force')
    await page.fill('dialog #confirm-name', 'Files <i>')
    await page.click('dialog button.danger')
    await page.waitForSelector('dl .state:has-text("revoked")')
    await page.waitForSelector('output:has-text("1 token in force")')
    await show(page, `${world.registry.issuer}/console/resources`)
    await page.waitForSelector('.rows >> text=Files <i>')
    await expectGoodPage(page)
    await page.context().close()
    expect(world.troubles).toEqual([])
  })

  test('a namespace is added, which shows what proves it, and dropped', async () => {
    const page = await world.open(acme, '/console/namespaces')
    await page.waitForSelector('text=credence namespace add')
    await page.fill('input[name=name]', 'acme.test')
    await page.click('main form button')
    await page.waitForSelector('.command:has-text("_credence-challenge.acme.test. IN TXT")')
    await expectGoodPage(page)
    await page.click('button[aria-label="Check acme.test"]')
    await page.waitForSelector('.error:has-text("namespace_unverified")')
    await page.click('button[aria-label="Remove acme.test"]')
    await page.fill('dialog #confirm-name', 'acme.test')
    await page.click('dialog button.danger')
    await page.waitForSelector('text=The claim of acme.test is dropped')
    await page.context().close()
    expect(world.troubles).toEqual([])
  })

  test('a member sees the providers and may not register one; an administrator sees why a registration fails', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const member = await world.open(await world.registry.join(code, 'Mia'), '/console/providers')
    await member.waitForSelector('text=An administrator registers one')
    expect(await member.locator('main form').count()).toBe(0)
    await member.context().close()
    const page = await world.open(acme, '/console/providers')
    await page.fill('input[name=url]', 'http://127.0.0.1:9')
    await page.fill('input[name=clientId]', 'credence')
    await page.click('button:has-text("Register the provider")')
    await page.waitForSelector('.error >> text=fetch_failed')
    await expectGoodPage(page)
    await page.context().close()
    expect(world.troubles).toEqual([])
  })
})
