import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('members of the console'))('members, organisations and signing keys', () => {
  let world: ConsoleWorld
  let acme: Actor
  const joined = async (name: string, role: string): Promise<Actor> => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })
    return world.registry.join(code, name)
  }
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('an administrator invites a person, finds it in the list, changes its role and revokes it', async () => {
    const page = await world.open(acme, '/console/members')
    await page.selectOption('select[name=role]', 'member')
    await page.click('button:has-text("Invite")')
    const link = (await page.textContent('.command:has-text("/invitation#")')) ?? ''
    const mia = await world.registry.join(link.split('#')[1] ?? '', 'Mia <b>')
    await world.registry.agent({ registeredBy: mia, name: 'Mailer' })
    await page.waitForSelector('.rows >> text=Mia <b>')
    await expectGoodPage(page)
    await page.click('.rows >> text=Mia <b>')
    await page.waitForSelector('h1:has-text("Member")')
    await page.waitForSelector('section >> text=Mailer')
    await expectGoodPage(page)
    await page.selectOption('select[name=role]', 'person')
    await page.click('button:has-text("Change the role")')
    await page.waitForSelector('text=The role is person')
    await page.click('button:has-text("Revoke the membership")')
    await page.waitForSelector('dialog >> text=1 key, with all tokens')
    await page.fill('dialog #confirm-name', 'Mia <b>')
    await page.click('dialog button.danger')
    await page.waitForSelector('dl .state:has-text("revoked")')
    await page.waitForSelector('output:has-text("Ended with it: 1 key, with all tokens")')
    await page.context().close()
    expect(world.troubles).toEqual([])
  })

  test('a person reaches its own page, which changes within a second when another browser of it is signed out elsewhere', async () => {
    const pia = await joined('Pia', 'person')
    const other = await world.open(pia, '/console')
    const page = await world.open(pia, '/console')
    await page.click('nav.places >> text="You"')
    await page.waitForSelector('h1:text-is("You")')
    await page.waitForSelector('text=(this browser)')
    await page.waitForSelector('text=Sign out everywhere (2 sessions')
    await expectGoodPage(page)
    const { items } = await pia.query<{ items: { sessionId: string }[] }>('sessions.list', {})
    await acme.mutate('sessions.end', { sessionId: items.at(-1)?.sessionId })
    await page.waitForSelector('text=Sign out everywhere (1 session,', { timeout: 1000 })
    await other.context().close()
    await page.context().close()
    expect(world.troubles).toEqual([])
  })

  test('an operator creates an organisation, invites its administrator, and rotates and revokes a signing key', async () => {
    const page = await world.open(world.registry.operator, '/console/organisations')
    await page.fill('input[name=name]', 'Umbrella')
    await page.click('button:has-text("Create")')
    await page.click('text=invite its administrator')
    await page.waitForSelector('h1:has-text("Members")')
    await page.click('button:has-text("Invite")')
    await page.waitForSelector('.command:has-text("/invitation#")')
    await page.click('main a[href*="/console/organisations/org_"]')
    await page.waitForSelector('h1:has-text("Organisation")')
    await expectGoodPage(page)
    await page.click('button:has-text("Revoke the organisation")')
    await page.waitForSelector('dialog >> text=0 agents')
    expect(await page.locator('dialog label[for=confirm-name]').innerText()).not.toContain('Umbrella')
    await page.fill('dialog #confirm-name', (await page.locator('dialog code.id').innerText()).slice(-6))
    await page.click('dialog button.danger')
    await page.waitForSelector('dl .state:has-text("revoked")')
    await show(page, `${world.registry.issuer}/console/organisations`)
    await page.waitForSelector('.rows >> text=Umbrella')
    await expectGoodPage(page)
    await show(page, `${world.registry.issuer}/console/signing-keys`)
    await page.click('button[aria-label="Rotate: Card views"]')
    await page.waitForSelector('section[aria-label="Card views"] .state:has-text("pending")')
    await expectGoodPage(page)
    await page.context().close()
    expect(world.troubles).toEqual([])
  })
})
