// Rules of an organisation about the clients that may act for its people: allowed clients, scopes of administrators, approvals of consents.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import { aPublicClient, register } from '../../conformance/registration.js'
import { type Browser, newBrowser, type Shown, signedIn } from '../../identity/people/browser.js'
import { startHostile } from '../../lib/guarded-fetch/hostile-server.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { postForm } from '../requests.js'
import { decide, returned, VERIFIER } from './person-world.js'

const RESOURCE = 'http://127.0.0.1:9/rules'
const REDIRECT = 'http://127.0.0.1:4321/callback'
let registry: Registry
let acme: Actor
let member: Actor
let person: Actor
let browser: Browser
let clientId: string

const joined = async (role: string, name: string) => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })
  return registry.join(code, name)
}
const setRules = (rules: object) => acme.mutate('clients.setRules', rules)

beforeAll(async () => {
  registry = await startRegistry({ registration: 'open', bearerTokens: true })
  acme = await registry.organisation('Acme')
  member = await joined('member', 'Mia')
  await acme.mutate('resources.register', {
    uri: RESOURCE,
    name: 'Files',
    scopes: ['files', 'mail', 'notes'].map((scope) => ({ scope, words: `Use ${scope}` })),
    policy: { mode: 'ask', externalClients: 'withPerson' },
    bearer: 'allowed',
  })
})
afterAll(() => registry[Symbol.asyncDispose]())
let people = 0
beforeEach(async () => {
  person = await joined('person', `Petra ${people++}`)
  browser = await signedIn(registry, person)
  clientId = (await register(registry, { ...aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }), client_name: 'Editor' })).body
    .client_id
  await setRules({ externalClients: 'admitted', adminScopes: [] })
})

const page = (more: Record<string, string> = {}, who = browser) =>
  who.get(
    `/oauth/authorize?${new URLSearchParams({
      client_id: clientId,
      response_type: 'code',
      redirect_uri: REDIRECT,
      code_challenge: digestOfText(VERIFIER),
      code_challenge_method: 'S256',
      state: 's',
      resource: RESOURCE,
      scope: 'files mail',
      ...more,
    })}`,
  )
/** The id of the approval for which a person waits. */
const waitsFor = ({ status, text }: Shown): string => {
  expect(status).toBe(200)
  return text.match(/apr_[\w-]{22}/)?.[0] ?? ''
}
const codeOf = (shown: Shown) => returned(shown).code
const outcome = async (more = {}, fields = {}) => {
  const done = await decide(browser, await page(more), fields)
  return done.status === 303 ? (codeOf(done) ? 'code' : returned(done).error) : waitsFor(done).slice(0, 4)
}

describe('a client that the organisation has not allowed', () => {
  test('may act for its people by default in development mode, and after `any`', async () => {
    await setRules({ externalClients: 'any' })
    expect(await outcome()).toBe('code')
  })

  test('waits for an administrator, and gets its code once the person repeats an approved request', async () => {
    const first = await page()
    expect(first.text).toContain('Your organisation has not allowed this application')
    const asked = await decide(browser, first)
    const approvalId = waitsFor(asked)
    const back = new URL(asked.text.match(/href="(http:\/\/127[^"]*)"/)?.[1]?.replaceAll('&amp;', '&') ?? '')
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: 'access_denied', state: 's', iss: registry.issuer })
    const pending = await page()
    expect(pending.text).toContain('is still pending')
    expect(waitsFor(await decide(browser, pending))).toBe(approvalId)
    const view = {
      approvalId,
      kind: 'consent',
      state: 'pending',
      because: ['client'],
      from: expect.stringMatching(/^mem_/),
      client: clientId,
      clientName: 'Editor',
    }
    const { items } = await acme.query<{ items: object[] }>('approvals.list', {})
    expect(items[0]).toMatchObject({ ...view, requested: { scopes: ['files', 'mail'] } })
    await acme.mutate('approvals.approve', { approvalId })
    const approved = await page()
    expect(approved.text).toContain('An administrator has approved this')
    const done = await decide(browser, approved, { right: ['0 files'] })
    expect(codeOf(done)).toMatch(/^fam_/)
    expect(await acme.query('approvals.get', { approvalId })).toMatchObject({ state: 'used', decidedBy: 'member' })
  })

  test('an approval is good for one decision, at most for its rights, and for seven days', async () => {
    const approve = async () => {
      const approvalId = waitsFor(await decide(browser, await page()))
      await acme.mutate('approvals.approve', { approvalId })
    }
    await approve()
    expect(await outcome({ scope: 'files mail notes' })).toBe('apr_')
    const shown = await Promise.all([page(), page(), page(), page()])
    const decided = await Promise.all(shown.map((one) => decide(browser, one)))
    const codes = decided.flatMap((one) => (one.status === 303 ? (codeOf(one) ?? []) : []))
    expect(codes).toHaveLength(1)
    const form = {
      client_id: clientId,
      grant_type: 'authorization_code',
      code: codes[0] ?? '',
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
    }
    expect(await postForm(registry, '/oauth/token', form)).toMatchObject({ status: 200 })
    registry.clock.advance(901)
    expect(await outcome()).toBe('apr_')
    const [{ approvalId }] = (await acme.query<{ items: { approvalId: string }[] }>('approvals.list', {})).items as [{ approvalId: string }]
    await acme.mutate('approvals.approve', { approvalId })
    registry.clock.advance(7 * 86_400 + 1)
    browser = await signedIn(registry, person)
    expect(await outcome()).toBe('apr_')
  })

  test('only administrators see and decide it: neither the person, nor members, nor other organisations', async () => {
    const approvalId = waitsFor(await decide(browser, await page()))
    const globex = await registry.organisation('Globex')
    for (const other of [member, globex]) {
      await expect(other.query('approvals.get', { approvalId })).rejects.toMatchObject({ reason: 'not_found' })
      await expect(other.mutate('approvals.approve', { approvalId })).rejects.toMatchObject({ reason: 'not_found' })
      expect((await other.query<{ items: object[] }>('approvals.list', { state: 'all' })).items).toEqual([])
    }
    await expect(person.mutate('approvals.approve', { approvalId })).rejects.toMatchObject({ reason: 'forbidden' })
    await expect(registry.operator.mutate('approvals.approve', { approvalId })).rejects.toMatchObject({ reason: 'forbidden' })
    await expect(acme.mutate('approvals.approve', { approvalId, narrow: { scopes: ['files'] } })).rejects.toMatchObject({
      reason: 'bad_input',
    })
    await acme.mutate('approvals.deny', { approvalId })
    expect((await page()).text).toContain('has denied your last request')
  })

  test('an approval is void once the person is revoked, and a person has at most 20 that wait', async () => {
    const scopes = ['files', 'mail', 'notes', 'files mail', 'files notes', 'mail notes', 'files mail notes']
    // Each is within no earlier one
    const inOrder = async () => {
      for (const scope of scopes) waitsFor(await decide(browser, await page({ scope })))
    }
    const approvalId = waitsFor(await decide(browser, await page({ scope: 'notes' })))
    await inOrder()
    for (let clients = 0; clients < 2; clients++) {
      clientId = (await register(registry, aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }))).body.client_id
      await inOrder().catch(() => undefined)
    }
    expect(await decide(browser, await page({ scope: 'files mail notes' }))).toMatchObject({ status: 409 })
    const { from: memberId } = await acme.query<{ from: string }>('approvals.get', { approvalId })
    await acme.mutate('members.revoke', { memberId })
    expect(await acme.query('approvals.get', { approvalId })).toMatchObject({ state: 'cancelled' })
  })

  test('is shown to the administrator with the words of each audience, and with what vouches for its name', async () => {
    await using host = await startHostile(
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(served)),
      { tls: false },
    )
    clientId = `http://127.0.0.1:${host.port}/slack.json`
    const served = {
      ...aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }),
      client_id: clientId,
      client_name: 'Slack (official)',
    }
    const evil = await registry.organisation('Evil')
    const other = 'http://127.0.0.1:9/aaa'
    const scopes = ['files', ...Array.from({ length: 63 }, (_, i) => `weather-${i}`)].map((scope) => ({ scope, words: 'Read the weather' }))
    const policy = { mode: 'open', externalClients: 'withPerson', people: 'any' }
    await evil.mutate('resources.register', { uri: other, name: 'Weather', scopes, policy, bearer: 'allowed' })
    const parameters = new URLSearchParams({ client_id: clientId, redirect_uri: REDIRECT, scope: 'files' })
    const challenge = { response_type: 'code', code_challenge: digestOfText(VERIFIER), code_challenge_method: 'S256' }
    for (const [name, value] of [...Object.entries(challenge), ['resource', other], ['resource', RESOURCE]])
      parameters.append(`${name}`, `${value}`)
    const approvalId = waitsFor(await decide(browser, await browser.get(`/oauth/authorize?${parameters}`)))
    const { words } = await acme.query<{ words: object[] }>('approvals.get', { approvalId })
    expect(words).toEqual([
      { audience: other, scope: 'files', words: 'Read the weather' },
      { audience: RESOURCE, scope: 'files', words: 'Use files' },
    ])
    const admin = await signedIn(registry, acme)
    const shown = await admin.get(`/you/approvals/${approvalId}`)
    const [, atOther = '', atOwn = ''] = shown.text.split('Rights at')
    expect([atOther.includes('Read the weather'), atOwn.includes('Use files'), atOwn.includes('Read the weather')]).toEqual([
      true,
      true,
      false,
    ])
    for (const { text } of [shown, await admin.get('/you/approvals')]) {
      expect(text).toContain(`<code>127.0.0.1:${host.port}</code>`)
      expect(text).toContain('the name is its own claim')
    }
  })

  test('an approval counts while its approver is an administrator', async () => {
    const second = await joined('administrator', 'Second')
    const approvalId = waitsFor(await decide(browser, await page()))
    await second.mutate('approvals.approve', { approvalId })
    await acme.mutate('members.changeRole', { memberId: second.clientId, role: 'member' })
    // The end of a version is forgotten after an hour
    registry.clock.advance(2 * 3600)
    browser = await signedIn(registry, person)
    expect(await acme.query('approvals.get', { approvalId })).toMatchObject({ state: 'cancelled' })
    expect(await outcome()).toBe('apr_')
  })

  test('a client that a consent has stored is used, not admitted; an administrator allows it, and takes that back', async () => {
    let served: object = {}
    await using host = await startHostile(
      (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(served)),
      { tls: false },
    )
    clientId = `http://127.0.0.1:${host.port}/rules.json`
    served = { ...aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }), client_id: clientId }
    await setRules({ externalClients: 'any' })
    expect(await outcome()).toBe('code')
    await setRules({ externalClients: 'admitted' })
    expect(await outcome({ scope: 'notes' })).toBe('apr_')
    const client = await acme.mutate<{ clientId: string }>('clients.allow', { clientId })
    expect(client).toMatchObject({ clientUri: clientId, isAllowed: true })
    expect(await outcome({ scope: 'notes' })).toBe('code')
    expect(await acme.mutate('clients.disallow', { clientId: client.clientId })).toMatchObject({ isAllowed: false })
    await expect(acme.mutate('clients.disallow', { clientId: client.clientId })).rejects.toMatchObject({ reason: 'conflict' })
    expect(await outcome({ scope: 'mail notes' })).toBe('apr_')
    const unknown = `http://127.0.0.1:${host.port}/new.json`
    served = { ...aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }), client_id: unknown }
    expect(await acme.mutate('clients.allow', { clientId: unknown })).toMatchObject({ clientUri: unknown, isAllowed: true })
  })

  test('with `none` nobody can consent; an administrator allows a client before it consents', async () => {
    await setRules({ externalClients: 'none' })
    expect((await page()).text).toContain('does not let external applications act')
    await setRules({ externalClients: 'admitted' })
    browser = await signedIn(registry, acme)
    expect((await page()).text).toContain('allow it first')
    await acme.mutate('clients.allow', { clientId })
    expect(await outcome()).toBe('code')
  })
})

test('a client that nobody trusts gets an error by a link that names its host, a trusted one by a redirect', async () => {
  const shown = await page({ scope: 'unknown', redirect_uri: 'http://127.0.0.1:81/callback' })
  expect([shown.status, shown.location]).toEqual([400, undefined])
  expect(shown.text).toContain('has registered or allowed the application that sent you here')
  expect(shown.text).toContain('href="http://127.0.0.1:81/callback?error=invalid_scope')
  expect((await page({ prompt: 'none' }, newBrowser(registry.issuer))).location).toBeUndefined()
  // A person who has decided is sent back
  expect(returned(await decide(browser, await page(), { decision: 'deny' }))).toMatchObject({ error: 'access_denied' })
  await acme.mutate('clients.allow', { clientId })
  expect(returned(await page({ scope: 'unknown' }))).toMatchObject({ error: 'invalid_scope', state: 's', iss: registry.issuer })
})

test('scopes of administrators need an approval in whatever form they are asked for; not from an administrator', async () => {
  await acme.mutate('clients.allow', { clientId })
  expect(await setRules({ adminScopes: ['files'] })).toEqual({
    organisation: acme.orgId,
    externalClients: 'admitted',
    adminScopes: ['files'],
  })
  expect(await outcome({ scope: 'mail' })).toBe('code')
  expect((await page()).text).toContain('requires an approval for some of these rights')
  expect(await outcome({ scope: 'files' })).toBe('apr_')
  await setRules({ adminScopes: ['files/delete'] })
  expect(await outcome({ scope: 'files' })).toBe('apr_')
  browser = await signedIn(registry, acme)
  expect(await outcome({ scope: 'files' })).toBe('code')
})

test('only administrators set rules and allow clients, and a misspelt member is refused', async () => {
  await expect(member.mutate('clients.setRules', {})).rejects.toMatchObject({ reason: 'forbidden' })
  await expect(member.mutate('clients.allow', { clientId })).rejects.toMatchObject({ reason: 'forbidden' })
  await expect(member.mutate('clients.disallow', { clientId })).rejects.toMatchObject({ reason: 'forbidden' })
  await expect(acme.mutate('clients.setRules', { adminScope: ['x'] })).rejects.toMatchObject({ reason: 'bad_input' })
  await expect(acme.mutate('clients.allow', { clientId: `cli_${'A'.repeat(22)}` })).rejects.toMatchObject({ reason: 'not_found' })
  expect(await member.query('clients.rules', {})).toMatchObject({ externalClients: 'admitted' })
  const globex = await registry.organisation('Globex')
  await expect(globex.query('clients.rules', { orgId: acme.orgId })).rejects.toMatchObject({ reason: 'not_found' })
})
