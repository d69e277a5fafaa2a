// Attacks on authorization requests: by clients that lie about themselves, by other sites, by other servers, by links.
import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { aPublicClient, register } from '../conformance/registration.js'
import { type Browser, newBrowser, type Shown, signedIn } from '../identity/people/browser.js'
import { decide, returned, VERIFIER } from '../oauth/authorize/person-world.js'
import { postForm } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'

const RESOURCE = 'http://127.0.0.1:9/attacked'
const REDIRECT = 'https://client.example/callback'
const EVIL = 'https://evil.example'
const BIDI = /[\u200E\u200F\u061C\u202A-\u202E\u2066-\u2069\u200B-\u200D\uFEFF]/

let registry: Registry
let acme: Actor
let browser: Browser
let clientId: string

const newClient = async (metadata: object = {}): Promise<string> => {
  const { status, body } = await register(registry, aPublicClient({ redirect_uris: [REDIRECT], ...metadata }))
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body.client_id
}

beforeAll(async () => {
  registry = await startRegistry({ registration: 'open', bearerTokens: true })
  acme = await registry.organisation('Acme')
  await acme.mutate('resources.register', {
    uri: RESOURCE,
    name: '\u202EFiles</legend><script>',
    scopes: [{ scope: 'files', words: `<a href="${EVIL}">click</a> ${'w'.repeat(200)}` }],
    policy: { mode: 'ask', externalClients: 'withPerson' },
    bearer: 'allowed',
  })
  browser = await signedIn(registry, acme)
  clientId = await newClient()
})
afterAll(() => registry[Symbol.asyncDispose]())

const urlOf = (changes: Record<string, string> = {}): string =>
  `/oauth/authorize?${new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: REDIRECT,
    code_challenge: digestOfText(VERIFIER),
    code_challenge_method: 'S256',
    state: 's',
    resource: RESOURCE,
    ...changes,
  })}`

/** The texts of others on a page. */
const foreignOf = ({ text }: Shown): string[] => [...text.matchAll(/<bdi class="foreign">(.*?)<\/bdi>/gs)].map(([, inner = '']) => inner)

describe('consent phishing', () => {
  test.each([
    ['markup', '</bdi><form action="https://evil.example"><button>Allow', '<form action="https://evil'],
    ['a script', '<script>alert(1)</script>', '<script>alert'],
    ['an attribute', '" autofocus onfocus="alert(1)', undefined],
  ])('%s in the name of a client is text', async (_, name, never) => {
    const shown = await browser.get(urlOf({ client_id: await newClient({ client_name: name }) }))
    expect(shown.status).toBe(200)
    if (never !== undefined) expect(shown.text).not.toContain(never)
    expect(shown.text).toContain(name.replaceAll('<', '&lt;').replaceAll('"', '&quot;'))
  })

  test('each text of others is marked, bounded, without marks of direction, and without links', async () => {
    const shown = await browser.get(urlOf({ client_id: await newClient({ client_name: 'n'.repeat(120) }) }))
    expect(shown.text).not.toMatch(BIDI)
    const foreign = foreignOf(shown)
    for (const text of ['n'.repeat(120), 'Files&lt;/legend>&lt;script>']) expect(foreign).toContain(text)
    expect(foreign.some((text) => text.startsWith(`&lt;a href=&quot;${EVIL}`))).toBe(true)
    expect(Math.max(...foreign.map((text) => text.replace(/&\w+;/g, 'x').length))).toBeLessThanOrEqual(257)
    expect(shown.text).not.toMatch(/<a [^>]*href="https?:/)
    expect(shown.text).not.toMatch(/<(script|img|iframe|object)/i)
  })

  test('a client that calls itself like the registry or another client is shown as unknown, with its own claim and the host it returns to', async () => {
    for (const client_name of ['Credence', 'Acme']) {
      const { text } = await browser.get(urlOf({ client_id: await newClient({ client_name }) }))
      for (const said of ['not registered by an organisation here', 'its name is its own claim', '<code>client.example</code>'])
        expect(text).toContain(said)
    }
    for (const client_name of ['\u202EAcme', 'Ac\u200Bme'])
      expect((await register(registry, aPublicClient({ client_name }))).body.error).toBe('invalid_client_metadata')
  })

  test('the page after the decision and the page of an error mark what others wrote, too', async () => {
    await acme.mutate('clients.setRules', { externalClients: 'admitted' })
    const person = await (async () => {
      const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
      return signedIn(registry, await registry.join(code, 'P <i>'))
    })()
    const evil = { client_id: await newClient({ client_name: '<i>x' }) }
    for (const shown of [await decide(person, await person.get(urlOf(evil))), await person.get(urlOf({ ...evil, scope: '<i>' }))]) {
      expect(shown.headers.get('content-type')).toContain('text/html')
      expect(shown.text).not.toContain('<i>')
      expect(shown.text).not.toMatch(BIDI)
    }
    await acme.mutate('clients.setRules', { externalClients: 'any' })
  })
})

describe('open redirect', () => {
  const NAMES = [
    'client_id',
    'redirect_uri',
    'resource',
    'state',
    'request_uri',
    'request',
    'scope',
    'prompt',
    'response_mode',
    'task_id',
    'iss',
  ]
  const FURTHER = ['return_to', 'returnTo', 'next', 'redirect', 'continue', 'post_logout_redirect_uri', 'error_uri', 'id_token_hint']
  const isEvil = (location: string | undefined) =>
    location !== undefined && new URL(location, registry.issuer).host.endsWith('evil.example')
  test.each([...NAMES, ...FURTHER])('%s leads to no other site, with a session or without', async (name) => {
    for (const value of [EVIL, '//evil.example', '/\\evil.example', `${REDIRECT}@evil.example`, `${REDIRECT}.evil.example`])
      for (const who of [browser, newBrowser(registry.issuer)]) {
        const shown = await who.get(urlOf({ [name]: value }))
        expect(isEvil(shown.location)).toBe(false)
        if (name === 'redirect_uri') expect(shown.location).toBeUndefined()
      }
  })

  test('a link of a stranger with a deliberate error shows a page, also with prompt=none and without a session', async () => {
    for (const changes of [{ scope: 'unknown' }, { prompt: 'none' }, { response_type: 'token' }, { resource: `${RESOURCE}/x` }] as object[])
      for (const who of [browser, newBrowser(registry.issuer)]) {
        const shown = await who.get(urlOf(changes as Record<string, string>))
        expect(shown.location).toBeUndefined()
        expect(shown.text).toContain('client.example')
      }
  })
})

describe('clickjacking', () => {
  test('the consent page, a page of an error and the page with a link cannot be framed, and lead only to the client', async () => {
    const consent = await browser.get(urlOf())
    const local = await browser.get(urlOf({ redirect_uri: EVIL }))
    const link = await browser.get(urlOf({ scope: 'unknown' }))
    expect([consent.status, local.status, link.status]).toEqual([200, 400, 400])
    for (const { headers } of [consent, local, link]) {
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(headers.get('content-security-policy')).not.toContain('evil')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('cache-control')).toBe('no-store')
    }
    expect(consent.headers.get('content-security-policy')).toContain("form-action 'self' https://client.example;")
  })
})

describe('CSRF', () => {
  /** The paths of all forms, as the code declares them. */
  const forms = readdirSync('src', { recursive: true, encoding: 'utf8' }).flatMap((file) => {
    if (!/\.tsx?$/.test(file)) return []
    const text = readFileSync(`src/${file}`, 'utf8')
    const constant = (name: string) => new RegExp(`${name} = '([^']+)'`).exec(text)?.[1] ?? '/oauth/authorize/decision'
    return [...text.matchAll(/(?:pageRoute\('POST', |personForm\(\s*deps,\s*)(?:'([^']+)'|([A-Z_]+))/g)].map(
      ([, path, name = '']) => path ?? constant(name),
    )
  })
  test('the list of forms is complete enough', () => {
    expect(forms).toEqual(expect.arrayContaining(['/sign-in/ticket', '/sign-out', '/oauth/authorize/decision', '/you/sessions/end-all']))
    expect(forms.length).toBeGreaterThanOrEqual(12)
  })
  test.each([...new Set(forms)])('%s is refused from another site, and without the token of its page', async (path) => {
    const target = path.replace(/:\w*[iI]d\b/g, (name) => ({ ':issuerId': `iss_${'A'.repeat(22)}` })[name] ?? `ses_${'A'.repeat(22)}`)
    await browser.get('/sign-in')
    const crossSite = await browser.post(target, {}, { origin: EVIL })
    const withoutToken = await browser.post(target, { form_token: 'A'.repeat(43), decision: 'allow', request: 'x' })
    for (const { status, location } of [crossSite, withoutToken]) {
      // 404, 405: forms of passkeys, which need a host name
      expect([403, 404, 405]).toContain(status)
      expect(location).toBeUndefined()
    }
    expect((await browser.get('/you')).status).toBe(200)
  })
})

describe('session fixation and injection', () => {
  test('a page that the attacker opened is not decided in the session of the victim, nor after the victim signed in again', async () => {
    const victim = await signedIn(registry, await registry.organisation('Victim'))
    const attackers = await browser.get(urlOf())
    expect(
      (await victim.submit(attackers, '/oauth/authorize/decision', { decision: 'allow', right: '0 files', duration: 'once' })).status,
    ).toBe(403)
    const before = await browser.get(urlOf())
    await signedIn(registry, acme, browser)
    expect((await decide(browser, before)).status).toBe(403)
  })

  test('a code of another session is refused without the verifier of that session, and ends with it', async () => {
    const code = returned(await decide(browser, await browser.get(urlOf()))).code ?? ''
    const form = { client_id: clientId, grant_type: 'authorization_code', code, redirect_uri: REDIRECT }
    for (const changes of [
      { code_verifier: 'w'.repeat(43) },
      {},
      { code_verifier: VERIFIER, redirect_uri: EVIL },
      { code_verifier: VERIFIER, client_id: await newClient() },
    ])
      expect((await postForm(registry, '/oauth/token', { ...form, ...changes })).body.error).toBe('invalid_grant')
  })
})
