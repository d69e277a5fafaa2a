// Attacks on the pages for people: by other sites, by other browsers, by strangers who write texts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, hiddenFieldsOf, newBrowser, signedIn } from '../identity/people/browser.js'
import { personWorld, push } from '../oauth/authorize/person-world.js'
import { postForm } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let acme: Actor
let browser: Browser
beforeAll(async () => {
  registry = await startRegistry({ limits: 'on' })
  acme = await registry.organisation('Acme')
  browser = await signedIn(registry, acme)
})
afterAll(() => registry[Symbol.asyncDispose]())

const ticketOf = async (member: Actor) => (await member.mutate<{ ticket: string }>('sessions.ticket', undefined)).ticket
const sessionOf = ({ cookies }: Browser) => cookies.get('credence-dev')

describe('CSRF', () => {
  const OTHER_SITE = [
    ['no Origin', { origin: '' }],
    ['the Origin of another site', { origin: 'https://evil.example' }],
    ['Origin null, from a sandboxed frame', { origin: 'null' }],
    ['the address of the registry as a prefix', { origin: 'http://127.0.0.1.evil.example' }],
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site, from another port', { 'sec-fetch-site': 'same-site' }],
  ] as const
  test.each(OTHER_SITE)('a form with its token and %s is refused', async (_, headers) => {
    const refused = await browser.submit(await browser.get('/you'), '/sign-out', {}, headers)
    expect(refused.status).toBe(403)
    expect((await browser.get('/you')).status).toBe(200)
  })

  test('the token of another session, of another form and of another thing is refused', async () => {
    const other = await signedIn(registry, acme)
    const [own, others] = [await browser.get('/you'), await other.get('/you')]
    expect((await browser.post('/sign-out', hiddenFieldsOf(others, '/sign-out'))).status).toBe(403)
    expect((await browser.post('/you/sessions/end-all', hiddenFieldsOf(own, '/sign-out'))).status).toBe(403)
    const [first, second] = [...own.text.matchAll(/action="(\/you\/sessions\/ses_[^"]+)"/g)].map(([, action = '']) => action) as [
      string,
      string,
    ]
    expect((await browser.post(first, hiddenFieldsOf(own, second))).status).toBe(403)
    expect((await browser.post('/sign-out', { form_token: '' })).status).toBe(403)
  })

  test('a request without the form type of a browser is refused, and the token does not count in the query', async () => {
    const { form_token = '' } = hiddenFieldsOf(await browser.get('/you'), '/sign-out')
    const headers = { cookie: `credence-dev=${sessionOf(browser)}`, origin: registry.issuer }
    const post = (path: string, init: RequestInit) => registry.fetch(path, { method: 'POST', redirect: 'manual', ...init })
    const asText = await post('/sign-out', { headers: { ...headers, 'content-type': 'text/plain' }, body: `form_token=${form_token}` })
    const inQuery = await post(`/sign-out?form_token=${form_token}`, { headers, body: new URLSearchParams() })
    expect([asText.status, inQuery.status]).toEqual([415, 400])
    expect((await browser.get('/you')).status).toBe(200)
  })

  test('a page changes nothing by GET, and no other site may read it', async () => {
    const signOut = await registry.fetch('/sign-out', { headers: { cookie: `credence-dev=${sessionOf(browser)}` } })
    expect(signOut.status).toBe(405)
    const you = await registry.fetch('/you', { headers: { cookie: `credence-dev=${sessionOf(browser)}`, origin: 'https://evil.example' } })
    expect(you.headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('login CSRF', () => {
  test("a link with the attacker's ticket signs nobody in: the page names the member, and waits for a click", async () => {
    const victim = newBrowser(registry.issuer)
    const shown = await victim.follow(
      await victim.submit(await victim.get('/sign-in'), '/sign-in/ticket', { ticket: await ticketOf(acme) }),
    )
    expect(shown.text).toContain("Acme's administrator")
    expect(sessionOf(victim)).toBeUndefined()
  })

  test('another site cannot post a ticket, nor confirm', async () => {
    const victim = newBrowser(registry.issuer)
    const start = await victim.get('/sign-in')
    const ticket = await ticketOf(acme)
    expect((await victim.submit(start, '/sign-in/ticket', { ticket }, { origin: 'https://evil.example' })).status).toBe(403)
    const confirm = await victim.follow(await victim.submit(start, '/sign-in/ticket', { ticket }))
    expect((await victim.submit(confirm, '/sign-in/confirm', {}, { origin: 'https://evil.example' })).status).toBe(403)
    expect(sessionOf(victim)).toBeUndefined()
  })

  test("the attacker's sign-in cookie in the victim's browser does not give the attacker the victim's sign-in", async () => {
    const [attacker, victim] = [newBrowser(registry.issuer), newBrowser(registry.issuer)]
    await attacker.get('/sign-in')
    for (const [name, value] of attacker.cookies) victim.cookies.set(name, value)
    await victim.submit(await victim.get('/sign-in'), '/sign-in/ticket', { ticket: await ticketOf(acme) })
    expect(await attacker.get('/sign-in/confirm')).toMatchObject({ status: 303, location: '/sign-in' })
  })
})

describe('session fixation', () => {
  test('a session cookie that the browser had before the sign-in is replaced, and opens nothing afterwards', async () => {
    const planted = `ses_${'A'.repeat(22)}.${'B'.repeat(43)}`
    const victim = newBrowser(registry.issuer)
    victim.cookies.set('credence-dev', planted)
    await signedIn(registry, acme, victim)
    expect(sessionOf(victim)).not.toBe(planted)
    const attacker = newBrowser(registry.issuer)
    attacker.cookies.set('credence-dev', planted)
    expect((await attacker.get('/you')).status).toBe(303)
  })

  test('signing in again ends the earlier session of the browser', async () => {
    const victim = await signedIn(registry, acme)
    const earlier = sessionOf(victim)
    await signedIn(registry, acme, victim)
    const attacker = newBrowser(registry.issuer)
    attacker.cookies.set('credence-dev', earlier ?? '')
    expect([(await attacker.get('/you')).status, (await victim.get('/you')).status]).toEqual([303, 200])
  })

  test.each([
    ['the id alone', (value: string) => value.split('.')[0] ?? ''],
    ['another secret', (value: string) => `${value.split('.')[0]}.${'A'.repeat(43)}`],
    ['a longer secret', (value: string) => `${value}A`],
    ['an inherited name', () => '__proto__'],
    ['four kilobytes', () => 'A'.repeat(4096)],
  ])('%s is no session', async (_, change) => {
    const attacker = newBrowser(registry.issuer)
    attacker.cookies.set('credence-dev', change(sessionOf(browser) ?? ''))
    expect((await attacker.get('/you')).status).toBe(303)
  })
})

describe('clickjacking and injection', () => {
  test('every page forbids frames, foreign scripts and caching, and its cookies are closed to scripts', async () => {
    const visitor = newBrowser(registry.issuer)
    const pages = [await browser.get('/you'), await visitor.get('/sign-in'), await visitor.post('/sign-in/ticket', {})]
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 403])
    for (const { headers } of pages) {
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("form-action 'self';")
      expect(policy).not.toContain('unsafe')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('referrer-policy')).toBe('same-origin')
    }
    expect(pages[1]?.headers.get('set-cookie')).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/)
  })

  test('a text that somebody else wrote is escaped, marked, bounded, and has no mark of direction', async () => {
    const names = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      'javascript:alert(1)',
      '</bdi></main>',
      '\u202Egnp.exe\u2066',
      '{{7*7}}',
    ]
    for (const description of names) await acme.tasks.create({ description })
    await acme.tasks.create({ description: 'x'.repeat(1000) })
    const { text } = await browser.get('/you')
    expect(text).not.toMatch(/<(script|img|iframe|svg)|href="javascript/i)
    expect(text).toContain('<bdi class="foreign">&lt;script>alert(1)&lt;/script></bdi>')
    expect(text).toContain('<bdi class="foreign">gnp.exe</bdi>')
    expect(text).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/)
    expect(text).not.toContain('x'.repeat(257))
    expect(text).toContain(`${'x'.repeat(256)}…`)
  })
})

describe('open redirect', () => {
  test.each([
    '/you?next=https://evil.example',
    '//evil.example/you',
    '/\\evil.example/you',
    '/%2f%2fevil.example',
    '/you/%2e%2e//evil.example',
    'http://evil.example/you',
  ])('after a sign-in that %s began, the browser stays at the registry', async (target) => {
    const victim = newBrowser(registry.issuer)
    const { request } = await import('node:http')
    // fetch would change the target
    const sent = await new Promise<{ location?: string | undefined; cookie?: string | undefined }>((resolve, reject) => {
      const { hostname, port } = new URL(registry.issuer)
      request({ hostname, port, path: target }, (response) => {
        response.resume()
        resolve({ location: response.headers.location, cookie: response.headers['set-cookie']?.[0] })
      })
        .on('error', reject)
        .end()
    })
    expect([undefined, '/sign-in']).toContain(sent.location)
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(sent.cookie ?? '') ?? []
    if (name !== undefined && value !== undefined) victim.cookies.set(name, value)
    await signedIn(registry, acme, victim)
    const start = await victim.submit(await victim.get('/sign-in?returnTo=https://evil.example&next=//evil.example'), '/sign-in/ticket', {
      ticket: await ticketOf(acme),
      returnTo: 'https://evil.example',
    })
    const done = await victim.submit(await victim.follow(start), '/sign-in/confirm', { next: '//evil.example' })
    expect(new URL(done.location ?? '', registry.issuer).origin).toBe(registry.issuer)
  })
})

test('60 pushed requests a minute of one client, and of all public clients at one address; none is longer than 16 KB', async () => {
  // One instance, so that the count is exact
  await using limited = await startRegistry({ servers: 1, limits: 'on' })
  const world = await personWorld(limited)
  const tooLong = await push(limited, world, { state: 's'.repeat(17_000) })
  const unknown = () => postForm(limited, '/oauth/par', { client_id: `cli_${'A'.repeat(22)}` })
  for (const send of [() => push(limited, world), unknown]) {
    const statuses: number[] = []
    for (let batch = 0; batch < 3; batch++)
      statuses.push(...(await Promise.all(Array.from({ length: 20 }, async () => (await send()).status))))
    expect(statuses).not.toContain(429)
    expect((await send()).status).toBe(429)
  }
  expect(tooLong.status).toBe(413)
})

test('a stranger cannot store sign-ins without bound', async () => {
  const attacker = newBrowser(registry.issuer)
  let stored = 0
  while (stored < 300 && (await attacker.get(`/you?${stored}`)).status === 303) stored++
  expect(stored).toBeLessThanOrEqual(200)
})

test('after ten failed tickets from an address at an instance, the next gets 429', async () => {
  const attacker = newBrowser(registry.issuer)
  const start = await attacker.get('/sign-in')
  const attempt = (i: number) => attacker.submit(start, '/sign-in/ticket', { ticket: `${i}`.padStart(22, 'A') })
  let failed = 0
  while (failed < 40 && (await attempt(failed)).status === 400) failed++
  expect(failed).toBeLessThanOrEqual(20)
})
