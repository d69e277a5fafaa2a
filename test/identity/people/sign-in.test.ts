// Sign-in by a ticket, sessions and the page of a person, over HTTP.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requiringSession } from '../../../src/identity/people/session.js'
import { peopleStore } from '../../../src/identity/people/store.js'
import { MemberId, type SessionId } from '../../../src/protocol/ids.js'
import { proofOf, tokenRequest } from '../../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { type Browser, hiddenFieldsOf, newBrowser, type Shown, signedIn } from './browser.js'

let registry: Registry
let acme: Actor
let mia: Actor
const invited = async (role: string, name: string): Promise<Actor> => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })
  return registry.join(code, name)
}
const ticketOf = async (member: Actor) => (await member.mutate<{ ticket: string }>('sessions.ticket', undefined)).ticket
const offer = async (browser: Browser, ticket: string): Promise<Shown> =>
  browser.submit(await browser.get('/sign-in'), '/sign-in/ticket', { ticket })
const isSignedIn = async (browser: Browser): Promise<boolean> => (await browser.get('/you')).status === 200

beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  mia = await invited('member', 'Mia')
})
afterAll(() => registry[Symbol.asyncDispose]())

describe('sign-in by a ticket', () => {
  test('a ticket of the command line signs a member in, who sees their page', async () => {
    const browser = await signedIn(registry, acme)
    const you = await browser.get('/you')
    expect(you.status).toBe(200)
    expect(you.text).toContain("Acme's administrator")
  })

  test('a page leads a visitor to the sign-in and, after it, back', async () => {
    const browser = newBrowser(registry.issuer)
    const sent = await browser.get('/you?a=1')
    expect(sent).toMatchObject({ status: 303, location: '/sign-in' })
    const offered = await offer(browser, await ticketOf(acme))
    const done = await browser.submit(await browser.follow(offered), '/sign-in/confirm')
    expect(done).toMatchObject({ status: 303, location: '/you?a=1' })
  })

  test('the page names the member and the organisation before anybody is signed in', async () => {
    const browser = newBrowser(registry.issuer)
    const confirm = await browser.follow(await offer(browser, await ticketOf(mia)))
    expect(confirm.text).toContain('Mia')
    expect(confirm.text).toContain('Acme')
    expect(await isSignedIn(browser)).toBe(false)
  })

  test('of twenty browsers with the same ticket one gets to the confirmation', async () => {
    const ticket = await ticketOf(mia)
    const browsers = Array.from({ length: 20 }, () => newBrowser(registry.issuer))
    const pages = await Promise.all(browsers.map((browser) => browser.get('/sign-in')))
    const offered = await Promise.all(browsers.map((browser, i) => browser.submit(pages[i] as Shown, '/sign-in/ticket', { ticket })))
    expect(offered.map(({ status }) => status).sort()).toEqual([303, ...Array<number>(19).fill(400)])
  })

  test('of two clicks on the confirmation one opens a session', async () => {
    const browser = newBrowser(registry.issuer)
    const confirm = await browser.follow(await offer(browser, await ticketOf(mia)))
    const fields = hiddenFieldsOf(confirm, '/sign-in/confirm')
    const before = (await mia.query<{ items: object[] }>('sessions.list', {})).items.length
    const clicks = await Promise.all([1, 2].map(() => browser.post('/sign-in/confirm', fields)))
    expect(clicks.filter(({ headers }) => /credence-dev=ses_/.test(headers.get('set-cookie') ?? ''))).toHaveLength(1)
    expect((await mia.query<{ items: object[] }>('sessions.list', {})).items).toHaveLength(before + 1)
  })

  test('a ticket is refused after 60 s, and one whose key was revoked at once', async () => {
    const ticket = await ticketOf(mia)
    registry.clock.advance(61)
    expect((await offer(newBrowser(registry.issuer), ticket)).status).toBe(400)
    const tom = await invited('member', 'Tom')
    const second = await ticketOf(tom)
    const { items } = await tom.query<{ items: { keyId: string }[] }>('keys.list', { owner: tom.clientId })
    await tom.mutate('keys.revoke', { keyId: items[0]?.keyId })
    const refused = await offer(newBrowser(registry.issuer), second)
    expect([refused.status, refused.text.includes('wrong, used or expired')]).toEqual([400, true])
  })

  test('a ticket leads to the console, to no other page, and after the page that sent the browser to the sign-in', async () => {
    const forConsole = async () => (await mia.mutate<{ ticket: string }>('sessions.ticket', { returnTo: '/console' })).ticket
    const leadsTo = async (browser: Browser, ticket: string) =>
      (await browser.submit(await browser.follow(await offer(browser, ticket)), '/sign-in/confirm')).location
    expect(await leadsTo(newBrowser(registry.issuer), await forConsole())).toBe('/console')
    for (const returnTo of ['/you', '//evil.example', 'https://evil.example/console', '/console/../you'])
      expect(await reasonOf(mia.mutate('sessions.ticket', { returnTo }))).toBe('bad_input')
    const sent = newBrowser(registry.issuer)
    await sent.get('/you/consents')
    expect(await leadsTo(sent, await forConsole())).toBe('/you/consents')
  })

  test('an agent gets no ticket', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    expect(await reasonOf(agent.mutate('sessions.ticket', undefined))).toBe('forbidden')
  })
})

describe('a session', () => {
  test('is dead at the next click after its member was revoked, or the key of its ticket', async () => {
    for (const end of ['member', 'key'] as const) {
      const tom = await invited('member', 'Tom')
      const browser = await signedIn(registry, tom)
      expect(await isSignedIn(browser)).toBe(true)
      const { items } = await tom.query<{ items: { keyId: string }[] }>('keys.list', { owner: tom.clientId })
      if (end === 'member') await acme.mutate('members.revoke', { memberId: tom.clientId })
      else await tom.mutate('keys.revoke', { keyId: items[0]?.keyId })
      expect(await browser.get('/you')).toMatchObject({ status: 303, location: '/sign-in' })
    }
  })

  test('ends after an hour without use, and twelve hours after the sign-in', async () => {
    const [idle, used] = [await signedIn(registry, mia), await signedIn(registry, mia)]
    registry.clock.advance(3000)
    expect(await isSignedIn(used)).toBe(true)
    registry.clock.advance(1000)
    expect([await isSignedIn(idle), await isSignedIn(used)]).toEqual([false, true])
    for (let seconds = 4000; seconds < 12 * 3600; seconds += 3000) {
      expect(await isSignedIn(used)).toBe(true)
      registry.clock.advance(3000)
    }
    expect(await isSignedIn(used)).toBe(false)
  })

  test('ends with a sign-out; a form without the token of the page does not sign out', async () => {
    const browser = await signedIn(registry, mia)
    expect((await browser.post('/sign-out', {})).status).toBe(403)
    expect(await isSignedIn(browser)).toBe(true)
    const cookies = new Map(browser.cookies)
    await browser.submit(await browser.get('/you'), '/sign-out')
    for (const [name, value] of cookies) browser.cookies.set(name, value)
    expect(await isSignedIn(browser)).toBe(false)
  })

  test('that has ended makes a commit fail which requires it', async () => {
    const browser = await signedIn(registry, mia)
    const { items } = await mia.query<{ items: { sessionId: SessionId }[] }>('sessions.list', {})
    const sessionId = items[0]?.sessionId ?? ('' as SessionId)
    const people = peopleStore(registry)
    const operation = requiringSession({ people }, { sessionId, id: MemberId.parse(mia.clientId) })
    expect(await registry.storage.commit([operation])).toEqual({ ok: true })
    expect(await isSignedIn(browser)).toBe(true)
    await mia.mutate('sessions.end', { sessionId })
    expect(await registry.storage.commit([operation])).toEqual({ ok: false, failed: 0 })
  })

  test('is listed and ended by its person and by an administrator, and by nobody else', async () => {
    const sue = await invited('member', 'Sue')
    const first = await signedIn(registry, sue)
    registry.clock.advance(1)
    const second = await signedIn(registry, sue)
    const { items } = await sue.query<{ items: { sessionId: string; amr: string[] }[] }>('sessions.list', {})
    expect(items.map(({ amr }) => amr)).toEqual([['pop'], ['pop']])
    const globex = await registry.organisation('Globex')
    const sessionId = items[0]?.sessionId
    for (const stranger of [globex, mia]) {
      expect(await reasonOf(stranger.query('sessions.list', { memberId: sue.clientId }))).toBe('not_found')
      expect(await reasonOf(stranger.mutate('sessions.end', { sessionId }))).toBe('not_found')
      expect(await reasonOf(stranger.mutate('sessions.endAll', { memberId: sue.clientId }))).toBe('not_found')
    }
    await sue.mutate('sessions.end', { sessionId: items[1]?.sessionId })
    expect([await isSignedIn(first), await isSignedIn(second)]).toEqual([false, true])
    expect(await acme.mutate('sessions.endAll', { memberId: sue.clientId })).toEqual({ ended: 1 })
    expect(await isSignedIn(second)).toBe(false)
    const rows = await acme.query<{ items: { action: string; actor: string; outcome: string }[] }>('audit.list', {
      orgId: acme.orgId,
      limit: 20,
    })
    expect(rows.items.filter(({ action, outcome }) => action === 'sessions.end' && outcome === 'done').map(({ actor }) => actor)).toEqual(
      expect.arrayContaining([acme.clientId, sue.clientId]),
    )
  })

  test('past 20 sessions of a person, the oldest is signed out', async () => {
    const sue = await invited('member', 'Sue')
    const browsers: Browser[] = []
    for (let i = 0; i < 21; i++) {
      browsers.push(await signedIn(registry, sue))
      registry.clock.advance(1)
    }
    const [oldest, next] = browsers as [Browser, Browser]
    expect([await isSignedIn(oldest), await isSignedIn(next)]).toEqual([false, true])
  })

  test('opens for each of thirty sign-ins at once, and the oldest of them end', async () => {
    const sue = await invited('member', 'Sue')
    for (let i = 0; i < 20; i++) await signedIn(registry, sue)
    const browsers = await Promise.all(Array.from({ length: 30 }, () => signedIn(registry, sue)))
    const stand = (await Promise.all(browsers.map(isSignedIn))).filter(Boolean).length
    expect(stand).toBeGreaterThan(0)
    expect(stand).toBeLessThanOrEqual(20)
    expect((await sue.query<{ items: object[] }>('sessions.list', {})).items.length).toBeLessThanOrEqual(20)
  })

  test('is not in the store in a form that opens it, and neither is a ticket', async () => {
    const browser = await signedIn(registry, mia)
    const ticket = await ticketOf(mia)
    const secrets = [...[...browser.cookies.values()].map((value) => value.split('.')[1] ?? value), ticket]
    const stored = (await registry.stored()).join('\n')
    expect(stored).toContain('ses_')
    for (const secret of secrets) expect(stored.includes(secret)).toBe(false)
  })
})

describe('the page of a person', () => {
  test('lists agents, tasks and sessions, and ends a task, an agent and every session', async () => {
    const browser = await signedIn(registry, acme)
    const agent = await registry.agent({ registeredBy: acme, name: 'reader of <b>files</b>' })
    const { taskId } = await acme.tasks.create({ description: 'tidy up' })
    let you = await browser.get('/you')
    expect(you.text).toContain('reader of &lt;b>files&lt;/b>')
    expect(you.text).toContain('tidy up')
    await browser.submit(you, `/you/tasks/${taskId}/end`)
    await browser.submit(you, `/you/agents/${agent.agentId}/revoke`)
    expect((await acme.tasks.get(taskId)).state).toBe('ended')
    expect(await acme.query('agents.get', { agentId: agent.agentId })).toMatchObject({ state: 'revoked', reason: 'user_request' })
    you = await browser.get('/you')
    expect(await browser.submit(you, '/you/sessions/end-all')).toMatchObject({ status: 303, location: '/sign-in' })
    expect(await isSignedIn(browser)).toBe(false)
  })
})

test('a token that lacks a scope of the member gets no ticket, because the session would have it', async () => {
  const issued = await tokenRequest(registry, acme, { grant_type: 'client_credentials', scope: 'discovery:read' })
  const accessToken: string = issued.body.access_token
  const proof = await proofOf(registry, acme.signer, { path: '/trpc/sessions.ticket', accessToken })
  const response = await registry.fetch('/trpc/sessions.ticket', {
    method: 'POST',
    headers: { authorization: `DPoP ${accessToken}`, dpop: proof, 'content-type': 'application/json' },
  })
  expect([response.status, (await response.json()).error.data.reason]).toEqual([403, 'insufficient_scope'])
})
