// What the people of an organisation do with one of its agents, in a browser.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent, createAgent, redeemKeyCode } from '../../src/client/index.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { newProfile } from '../../src/delegation/uses/profile.js'
import { AGENT_PROFILES } from '../../src/delegation/uses/store.js'
import { clientClock } from '../../src/lib/clock.js'
import { hasChromium } from '../chromium.js'
import type { Actor } from '../registry.js'
import { type ConsoleWorld, expectGoodPage, show, startConsoleWorld } from './world.js'

const XSS = '<img src=x onerror=alert(1)>'

describe.runIf(hasChromium('an agent in the console'))('an agent', { timeout: 60_000 }, () => {
  let world: ConsoleWorld
  let acme: Actor
  let page: Page
  beforeAll(async () => {
    world = await startConsoleWorld()
    acme = await world.registry.organisation('Acme')
    page = await world.open(acme, '/console/agents')
  }, 60_000)
  afterAll(() => world?.[Symbol.asyncDispose]())

  const stateOf = async (agentId: string) => (await acme.query<{ state: string }>('agents.get', { agentId })).state
  const anAgent = (name: string) => world.registry.agent({ registeredBy: acme, name, ceiling: { scopes: ['tasks:write'] } })
  const open = async (agentId: string) => {
    await show(page, `${world.registry.issuer}/console/agents/${agentId}`)
    await page.waitForSelector('main h2:has-text("Keys")')
  }
  const textAfter = async (heading: string) => (await page.locator(`h3:has-text("${heading}") ~ pre code`).first().textContent()) ?? ''

  test('is registered with a preset, and confirmed with the token that is shown once', async () => {
    await page.click('text=Register an agent')
    await page.fill('input[name=name]', 'Ocr <b> 7')
    await page.fill('input[name=description]', XSS)
    await page.selectOption('select[name=preset]', 'organisation')
    await page.fill('input[name=preset-scopes]', 'ocr:read')
    await page.waitForSelector('text=agents of your organisation')
    await expectGoodPage(page)
    await page.click('button:has-text("Register the agent")')
    await page.waitForSelector('h3:has-text("Registration token")')
    await expectGoodPage(page)
    const command = (await page.locator('main pre code').first().textContent()) ?? ''
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.locator('main pre + button').first().click()
    await page.waitForSelector('main pre + button:has-text("Copied")')
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(command)
    const agentId = /^credence agent confirm (agt_\S+) --registry \S+ --profile ocr-b-7$/.exec(command)?.[1] ?? ''
    const registrationToken = await textAfter('Registration token')
    await page.click('text=Show the agent')
    await page.waitForSelector('.state:has-text("registered")')
    await page.waitForSelector(`text=credence agent confirm ${agentId}`)
    await expectGoodPage(page)
    await confirmAgent({ issuer: world.registry.issuer, agentId, registrationToken, signer: await newEs256Signer() })
    await page.waitForSelector('main dd .state:has-text("active")')
    expect(await acme.query('agents.get', { agentId })).toMatchObject({
      ceiling: { rights: expect.arrayContaining([{ audience: { organisation: acme.orgId }, scope: 'ocr:read' }]) },
    })
    expect(world.troubles).toEqual([])
  })

  test('gets a wider ceiling from an administrator, after the difference was shown', async () => {
    const { agentId } = await world.registry.agent({ registeredBy: acme, name: 'Planner' })
    await open(agentId)
    await page.click('text=Change the ceiling')
    await page.fill('input[name=audience]', 'any')
    await page.fill('input[name=scope]', 'ocr:read')
    await page.click('text=Add the right')
    await page.selectOption('select[name=depth]', '2')
    const difference = page.locator('[aria-label=Difference]')
    await difference.locator('li:has-text("added: delegates to a depth of at most 2")').waitFor()
    expect(await difference.locator('li').allTextContents()).toEqual([
      'removed: does not delegate',
      'added: ocr:read at any agent of this registry',
      'added: delegates to a depth of at most 2',
    ])
    await page.waitForSelector('text=This widens the ceiling. You may do this as an administrator.')
    await expectGoodPage(page)
    await page.click('text=Save the ceiling')
    await page.waitForSelector('text=depth of at most 2')
    await page.click('summary:has-text("Levels of the organisation")')
    await page.fill('input[name=level-name]', 'careful')
    await page.click('text=Create the level')
    await page.selectOption('select[name=level]', 'careful')
    await page.click('text=Save the level')
    await page.waitForSelector('text=The agent is limited to')
    await page.click('text=Change the introduction policy')
    await page.selectOption('select[name=mode]', 'closed')
    await expectGoodPage(page)
    await page.click('text=Save the introduction policy')
    await page.waitForSelector('text=closed: every request is refused')
    expect(await acme.query('agents.get', { agentId })).toMatchObject({
      ceiling: { rights: expect.arrayContaining([{ audience: { anyAgent: true }, scope: 'ocr:read' }]), delegationDepth: 2 },
      maxScopeLevel: 'careful',
      introductionPolicy: { mode: 'closed' },
    })
  })

  test('has lost its key: a code replaces it, and the old one is revoked', async () => {
    const agent = await world.registry.agent({ registeredBy: acme, name: 'Loser of keys' })
    await open(agent.agentId)
    await page.click('text=Issue a code')
    await page.waitForSelector('text=credence login --registry')
    await expectGoodPage(page)
    const code = (await page.locator('pre code:has-text("kcd_")').textContent()) ?? ''
    const signer = await newEs256Signer()
    expect(await redeemKeyCode({ issuer: world.registry.issuer, code, signer })).toMatchObject({ clientId: agent.agentId, revokedCount: 1 })
    await page.waitForSelector('.items .state:has-text("revoked")')
    await page.waitForSelector('.items .state:has-text("active")')
    await createAgent({ issuer: world.registry.issuer, clientId: agent.agentId, signer, clock: clientClock }).token()
    await expect(world.registry.as(agent).token()).rejects.toMatchObject({ reason: 'invalid_client' })
  })

  test('is suspended, reinstated, and revoked after its name was typed; the page says what ended', async () => {
    const agent = await world.registry.agent({ registeredBy: acme, name: 'Runaway', ceiling: { scopes: ['agents:write', 'tasks:write'] } })
    await agent.mutate('agents.register', { name: XSS.slice(0, 20), ceiling: {} })
    await open(agent.agentId)
    await page.waitForSelector(`main li:has-text("agents:write")`)
    await page.click('button:text-is("Suspend")')
    await page.waitForSelector('dialog >> text=1 agent that it registered')
    await expectGoodPage(page)
    await page.click('dialog button:text-is("Suspend")')
    await page.click('button:text-is("Reinstate")')
    await page.waitForSelector('main dd .state:has-text("active")')
    await page.click('button:text-is("Revoke")')
    await page.waitForSelector('dialog >> text=1 key')
    await expectGoodPage(page)
    expect(await page.locator('dialog button[type=submit]').isDisabled()).toBe(true)
    await page.fill('#confirm-name', 'Runaway')
    await page.selectOption('dialog select[name=reason]', 'compromised')
    await page.click('dialog button[type=submit]')
    await page.waitForSelector('text=Ended with it:')
    await page.waitForSelector('text=The agent is revoked, so none of its keys is accepted.')
    await page.waitForSelector('main dd .state:has-text("revoked")')
    expect(await stateOf(agent.agentId)).toBe('revoked')
    expect(await page.locator('main button:text-is("Revoke")').count()).toBe(0)
    expect(world.troubles).toEqual([])
  })

  test('shows its risk with the reasons, and its live tokens', async () => {
    const [quiet, busy] = [await anAgent('Quiet one'), await anAgent('Busy one')]
    const hours: [number, number][] = [[Math.floor(world.registry.clock.now() / 3600) - 48, 60]]
    const empty = newProfile(busy.agentId, acme.orgId)
    await world.registry.storage.collection(AGENT_PROFILES).insert({ ...empty, hours, purgeAt: 2_000_000_000 })
    for (const agent of [quiet, busy]) await agent.tasks.create({ description: 'x' })
    await open(quiet.agentId)
    await page.waitForSelector('text=A score needs at least 50 uses within 90 days')
    await open(busy.agentId)
    await page.waitForSelector('text=new_audience +25: This is the first token for this audience')
    await page.waitForSelector('[aria-label="Live tokens"] li:has-text("for this registry")')
    await expectGoodPage(page)
  })

  test('is found in the list by name and state', async () => {
    await anAgent('Hidden one')
    await show(page, `${world.registry.issuer}/console/agents`)
    await page.fill('input[name=name]', 'HIDDEN')
    await page.waitForURL('**/console/agents?name=HIDDEN')
    await expect.poll(() => page.locator('.rows li').count()).toBe(1)
    await page.selectOption('select[name=state]', 'revoked')
    await page.waitForSelector('text=No agent matches these filters.')
    await expectGoodPage(page)
  })

  test('is shown to a member without what only administrators do', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const mia = await world.registry.join(code, 'Mia')
    const { agentId } = await world.registry.agent({ registeredBy: acme, name: 'Of all' })
    const own = await world.open(mia, `/console/agents/${agentId}`)
    await own.waitForSelector('text=Only administrators of your organisation can retire and revoke keys.')
    expect(await own.locator('main button:text-is("Revoke"), main button:text-is("Issue a code")').count()).toBe(0)
    expect(await own.locator('main button:text-is("Suspend")').count()).toBe(1)
    await own.click('text=Change the ceiling')
    await own.selectOption('select[name=depth]', '1')
    await own.waitForSelector('text=Only an administrator of the organisation can do this')
    await own.click('text=Save the ceiling')
    await own.waitForSelector('.error:has-text("forbidden")')
  })
})
