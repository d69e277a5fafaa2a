import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium } from '../chromium.js'
import type { Actor, AgentActor } from '../registry.js'
import { aPublishedAgent } from '../stories/actors.js'
import { type ConsoleWorld, expectGoodPage, startConsoleWorld } from './world.js'

/** A Latin name with a Cyrillic letter, and prose with marks of direction, markup and an end beyond 256 characters. */
const LOOKALIKE = 'sc\u0430n'
const PURPOSE = `<img src=x onerror=alert(1)> \u202Egnp.exe ${'scan '.repeat(60)}THE END`

describe.runIf(hasChromium('the inbox of the console'))('inbox', () => {
  let world: ConsoleWorld
  let acme: Actor
  let ocr: AgentActor
  let planner: AgentActor
  const request = (more: object = {}) =>
    planner.introductions.request({ to: ocr.agentId, purpose: 'Read invoices', scopes: ['ocr:read', 'ocr:admin'], ...more })

  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
    const globex = await world.registry.organisation('Globex')
    ocr = await aPublishedAgent(world.registry, { registeredBy: acme })
    const rights = ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: ocr.audience, scope }))
    planner = await world.registry.agent({ registeredBy: globex, name: 'planner', ceiling: { rights, delegationDepth: 1 } })
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  test('a request comes in by itself, and is approved narrower than asked with the keyboard alone', async () => {
    const page = await world.open(acme, '/console/inbox')
    await page.waitForSelector('text=credence approval list')
    const { introductionId } = await request({ tools: ['scan', LOOKALIKE], purpose: PURPOSE })
    await page.waitForSelector('.rows li >> text=ocr:admin')
    await expectGoodPage(page)
    await page.keyboard.press('a')
    await page.waitForSelector('dialog >> text=THE END')
    await page.waitForSelector('dialog >> text=\\u{430}')
    await page.waitForSelector('dialog >> text=No card that you can see')
    await page.waitForSelector('dialog >> text=planner of Globex')
    expect(await page.locator('dialog').innerText()).not.toContain('\u202E')
    await expectGoodPage(page)
    for (const name of ['ocr:admin', LOOKALIKE]) {
      await page.locator('dialog label.choice', { hasText: name }).locator('input').focus()
      await page.keyboard.press('Space')
    }
    await page.locator('dialog >> text=Approve what is ticked').focus()
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=Approved: ocr:read')
    await page.waitForSelector('text=No request is waiting for a decision')
    expect(await ocr.introductions.get(introductionId)).toMatchObject({
      state: 'granted',
      bounds: { scopes: ['ocr:read'], tools: ['scan'] },
    })
    expect(world.troubles).toEqual([])
  })

  test('the lifetime, the skills and the interface are shown, and nothing is approved before all is loaded', async () => {
    const { introductionId } = await request({
      scopes: ['ocr:read'],
      seconds: 7200,
      purpose: `pay i${'\u0305'.repeat(150)}`,
      tools: ['rm\\u200b'],
    })
    const page = await world.open(acme, '/console/inbox')
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route('**/trpc/cards.get**', async (route) => {
      await released
      await route.continue()
    })
    await page.click(`.rows a[aria-label="Decide about ${introductionId}"]`)
    await page.waitForSelector('dialog >> text=2 hours from the approval')
    const approve = page.locator('dialog button', { hasText: 'Approve what is ticked' })
    expect(await approve.isDisabled()).toBe(true)
    release()
    await page.waitForSelector('dialog >> text=No card that you can see')
    const text = await page.locator('dialog').innerText()
    expect(text).toContain('rm\\\\u200b')
    expect(/\u0305+/.exec(text)?.[0]).toHaveLength(3)
    await expectGoodPage(page)
    const sent = page.waitForRequest('**/trpc/introductions.approve**')
    await page.fill('dialog input[name=days]', '0.05')
    await page.waitForSelector('dialog >> text=It expires 1 hour 12 minutes after the approval')
    await approve.click()
    expect((await sent).postDataJSON()).toMatchObject({ introductionId, scopes: ['ocr:read'], tools: ['rm\\u200b'], seconds: 4320 })
    await page.waitForSelector('text=Approved: ocr:read')
    const { expiresAt, grantedAt = 0 } = await ocr.introductions.get(introductionId)
    expect(expiresAt - grantedAt).toBe(4320)
    await page.context().close()
    expect(world.troubles).toEqual([])
  })

  test('after a decision the next request is selected, and a denial tells the requester why', async () => {
    const older = await request({ purpose: 'the older one' })
    const newer = await request({ purpose: 'the newer one', scopes: ['ocr:read'] })
    const page = await world.open(acme, '/console/inbox')
    await page.waitForSelector('.rows li >> nth=1')
    const first = await page.locator('.rows li >> nth=0').innerText()
    const [denied, left] = first.includes('newer') ? [newer, older] : [older, newer]
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    await page.keyboard.press('d')
    await page.fill('dialog input[name=note]', 'not for invoices')
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=Denied.')
    expect(await planner.introductions.get(denied.introductionId)).toMatchObject({ state: 'denied', note: 'not for invoices' })
    await page.waitForSelector('.rows li[aria-setsize="1"][aria-current="true"]')
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Introduction")')
    expect(page.url()).toContain(left.introductionId)
    await expectGoodPage(page)
    expect(world.troubles).toEqual([])
  })

  test('a person sees that nothing waits for them', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    const page = await world.open(await world.registry.join(code, 'Pia'), '/console/inbox')
    await page.waitForSelector('text=Nothing waits for you')
    await expectGoodPage(page)
    expect(world.troubles).toEqual([])
  })
})
