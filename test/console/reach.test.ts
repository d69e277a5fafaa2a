import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import { aConsent } from '../oauth/authorize/person-world.js'
import { type Actor, aCard, type Registry } from '../registry.js'
import { aPair, introduce, type Pair, reasonOf } from '../stories/actors.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

describe.runIf(hasChromium('who can call whom in the console'))('who can call whom', () => {
  let world: ConsoleWorld
  let registry: Registry
  let pair: Pair
  beforeAll(async () => {
    world = await startConsoleWorld()
    registry = world.registry
    pair = await aPair(registry, ['ocr:read', 'ocr:admin'])
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('an introduction is narrowed, then revoked; before and after, the page says which tokens end', async () => {
    const { acme, planner, ocr, introductionId } = pair
    const { taskId } = await planner.tasks.create({ description: 'invoices' })
    await planner.exchange({ audience: ocr.audience, taskId })
    const page = await world.open(acme, '/console/reach')
    await page.waitForSelector('.rows li >> text=ocr:admin')
    await page.waitForSelector(`.graph a[href="/console/reach/${planner.agentId}"]`)
    await expectGoodPage(page)
    await page.click(`button[aria-label="Narrow ${introductionId}"]`)
    await page.waitForSelector(`dialog >> text=${taskId}`)
    await expectGoodPage(page)
    // A later end narrows nothing
    await page.fill('dialog input[name=until]', '2199-12-31')
    expect(await page.isDisabled('dialog >> text=Narrow to what is ticked')).toBe(true)
    await page.locator('dialog label.choice', { hasText: 'ocr:admin' }).click()
    await page.click('dialog >> text=Narrow to what is ticked')
    await page.waitForSelector(`main output >> text=${taskId}`)
    await page.waitForSelector('.rows li:not(:has-text("ocr:admin")) >> text=ocr:read')
    expect((await planner.introductions.get(introductionId)).bounds).toEqual({ scopes: ['ocr:read'] })

    await registry.as(planner).exchange({ audience: ocr.audience, taskId })
    await page.click(`button[aria-label="Revoke ${introductionId}"]`)
    await page.waitForSelector('dialog >> text=1 live token')
    await expectGoodPage(page)
    await page.fill('dialog #confirm-name', planner.agentId)
    await page.click('dialog button.danger')
    await page.waitForSelector('text=The introduction was revoked.')
    await page.waitForSelector(`main output >> text=${taskId}`)
    await page.waitForSelector('text=No agent here can be called')
    expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('invalid_target')
    expect(world.troubles).toEqual([])
  })

  const refusalsOf = async (reader: Actor, actor: Actor): Promise<readonly string[]> => {
    const { items } = await reader.query<{ items: { outcome: string; action: string }[] }>('audit.list', {
      actor: actor.clientId,
      limit: 100,
    })
    return items.filter(({ outcome }) => outcome === 'refused').map(({ action }) => action)
  }

  test('agents that choose the name of another one, its id or a word of the console are told apart by their ids', async () => {
    const [acme, globex, evil] = await Promise.all(['Acme', 'Globex', 'Evil'].map((name) => registry.organisation(name)))
    if (!acme || !globex || !evil) throw new Error('three organisations')
    const target = await registry.agent({ registeredBy: acme, name: 'Target', introductionPolicy: { mode: 'ask' } })
    await target.publish({ card: aCard(registry, { name: 'Target' }) })
    const ceiling = { rights: [{ audience: target.audience, scope: 'ocr:read' }] }
    const honest = await registry.agent({ registeredBy: globex, name: 'Billing', ceiling })
    const mimic = await registry.agent({ registeredBy: evil, name: 'zzz', ceiling })
    await honest.publish({ card: aCard(registry, { name: 'Globex Billing' }) })
    await mimic.publish({ card: aCard(registry, { name: 'Globex Billing' }) })
    await introduce(honest, target)
    const id = await introduce(mimic, target)
    const page = await world.open(acme, '/console/reach')
    for (const { agentId } of [honest, mimic]) await page.waitForSelector(`.rows li:has-text("Globex Billing") >> text=${agentId}`)
    await expectGoodPage(page)
    for (const name of ['Globex Billing', honest.agentId, 'You', 'this\u00a0registry']) {
      await mimic.publish({ card: aCard(registry, { name }) })
      await show(page, `${registry.issuer}/console/introductions/${id}`)
      await page.click('main button.danger')
      await page.waitForSelector('dialog code.id')
      expect(await page.locator('dialog code.id').innerText()).toBe(mimic.agentId)
      expect(await page.locator('dialog label[for=confirm-name] code').innerText()).toBe(mimic.agentId.slice(-6))
      await page.waitForSelector('dialog >> text=No live token')
      await page.fill('#confirm-name', name)
      expect(await page.locator('dialog button.danger').isDisabled()).toBe(true)
      await page.fill('#confirm-name', mimic.agentId.slice(-6))
      expect(await page.locator('dialog button.danger').isEnabled()).toBe(true)
    }
    await expectGoodPage(page)
    expect(await refusalsOf(acme, acme)).toEqual([])
    expect(world.troubles).toEqual([])
  })

  test('a person sees which tokens end with a consent, and revokes it only then', async () => {
    const acme = await registry.organisation('Initech')
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    const mia = await registry.join(code, 'Mia')
    const client = await registry.agent({ registeredBy: acme, name: 'Client of Initech' })
    await aConsent(registry, { person: mia, client, by: acme })
    const page = await world.open(mia, '/console/reach')
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route('**/trpc/tokens.list**', async (route) => {
      await released
      await route.continue()
    })
    await page.locator('main button', { hasText: 'Revoke' }).first().click()
    await page.fill('#confirm-name', client.agentId)
    expect(await page.locator('dialog button.danger').isDisabled()).toBe(true)
    release()
    await page.waitForSelector('dialog >> text=/live token/')
    expect(await page.locator('dialog').innerText()).not.toContain('not_found')
    await page.waitForSelector('dialog button.danger:enabled')
    await expectGoodPage(page)
    expect(await refusalsOf(acme, mia)).toEqual([])
    expect(world.troubles).toEqual([])
  })

  test('the page of an agent has its edges only, with delegation, and the filter in its address', async () => {
    const { globex, ocr, introductionId } = await aPair(registry)
    const other = await aPair(registry)
    const { planner } = other
    const delegation = { depth: 1, rights: [{ audience: other.ocr.audience, scope: 'ocr:admin' }] }
    const passing = await planner.introductions.request({ to: other.ocr.agentId, purpose: 'x', scopes: ['ocr:read'], delegation })
    await other.ocr.introductions.approve(passing.introductionId)
    const page = await world.open(other.globex, `/console/reach/${planner.agentId}?direction=out`)
    await page.waitForSelector('.rows li >> text=May delegate')
    await page.waitForSelector('.graph path.delegation', { state: 'attached' })
    expect(await page.locator('.rows > ul > li').count()).toBe(2)
    expect(await page.locator('main').innerText()).not.toContain(introductionId)
    await expectGoodPage(page)
    await page.selectOption('select[name=state]', 'pending')
    await page.waitForSelector('text=There is nothing in this state')
    expect(page.url()).toContain('direction=out')
    expect(page.url()).toContain('state=pending')
    expect([globex.orgId, ocr.orgId]).not.toContain(other.globex.orgId)
    expect(world.troubles).toEqual([])
  })
})
