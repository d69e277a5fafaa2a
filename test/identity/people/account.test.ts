// The pages below /you: consents, approvals and tasks, over HTTP and without scripts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approvalsStore } from '../../../src/delegation/approvals/store.js'
import { CONSENTS } from '../../../src/delegation/consents/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { type ApprovalId, ConsentId, newId } from '../../../src/protocol/ids.js'
import { codeFor, type PersonWorld, personWorld, redeem } from '../../oauth/authorize/person-world.js'
import { exchangeForm, type OAuthResponse, tokenRequest } from '../../oauth/requests.js'
import { type Registry, startRegistry } from '../../registry.js'
import { newBrowser, type Shown, signedIn } from './browser.js'

let registry: Registry
let world: PersonWorld
/** A resource of the organisation of the person, whose scope `files:write` needs an approval. */
const URI = 'http://127.0.0.1:9/files'

beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
  const { admin, client } = world
  const scopes = [
    { scope: 'files:read', words: 'Read <i>your</i> files' },
    { scope: 'files:write', words: 'Change your files', approval: 'organisation' },
  ]
  await admin.mutate('resources.register', { uri: URI, name: 'Files <script>', scopes, policy: { mode: 'open', people: 'any' } })
  await admin.mutate('agents.change', { agentId: client.agentId, addRights: scopes.map(({ scope }) => ({ audience: URI, scope })) })
})
afterAll(() => registry[Symbol.asyncDispose]())

const boxes = ({ text }: Shown, name: string): string[] =>
  [...text.matchAll(new RegExp(`name="${name}" value="([^"]*)"`, 'g'))].map(([, value = '']) => value)
const pathsIn = ({ text }: Shown, kind: string): string[] => [
  ...new Set([...text.matchAll(new RegExp(`href="(/you/${kind}/[a-z]{3}_[^"/]+)"`, 'g'))].map(([, path = '']) => path)),
]

/** The day that is so many days from now. */
const day = (days: number): string => new Date((registry.clock.now() + days * 86_400) * 1000).toISOString().slice(0, 10)

describe('a consent', () => {
  const consented = async (): Promise<{ path: string; token: string; root: string }> => {
    const { ocr, person } = world
    const code = await codeFor(
      registry,
      world,
      { scope: 'tokens:exchange ocr:read ocr:admin', prompt: 'consent' },
      { duration: 'until', until: day(60) },
    )
    const root = (await redeem(registry, world, code, { resource: registry.issuer })).body.access_token
    const { body } = await tokenRequest(registry, world.client, exchangeForm(root, ocr.audience, { scope: 'ocr:read' }))
    const { items } = await person.query<{ items: { consentId: string; state: string }[] }>('consents.list', { audience: ocr.audience })
    return { path: `/you/consents/${items.find(({ state }) => state === 'valid')?.consentId}`, token: body.access_token, root }
  }

  test('is listed with its names and scopes, narrowed by its boxes, and revoked after a page that names what ends', async () => {
    const { browser, ocr, client } = world
    const { path, token, root } = await consented()
    const you = await browser.get('/you')
    expect(pathsIn(you, 'consents')).toContain(path)
    expect(you.text).toMatch(/<bdi class="foreign">Planner [^<]*<\/bdi> at <bdi class="foreign">OCR/)
    const shown = await browser.get(path)
    expect(boxes(shown, 'scope').sort()).toEqual(['ocr:admin', 'ocr:read'])
    expect(await browser.submit(shown, `${path}/narrow`, { scope: 'ocr:read', until: day(60) })).toMatchObject({
      status: 303,
      location: path,
    })
    expect(await ocr.introspect(token)).toEqual({ active: false })
    const after = await browser.get(path)
    expect(boxes(after, 'scope')).toEqual(['ocr:read'])
    const exchanged = (scope: string) => tokenRequest(registry, client, exchangeForm(root, ocr.audience, { scope }))
    expect((await exchanged('ocr:admin')).body).toMatchObject({ error: 'invalid_scope' })
    const narrower = await exchanged('ocr:read')
    expect(narrower.status).toBe(200)

    const confirm = await browser.get(`${path}/revoke`)
    expect(confirm.text).toMatch(/Planner.*OCR.*ocr:read/s)
    expect(await ocr.introspect(narrower.body.access_token)).toMatchObject({ active: true })
    expect(await browser.submit(confirm, `${path}/revoke`)).toMatchObject({ status: 303, location: '/you/consents' })
    expect(await ocr.introspect(narrower.body.access_token)).toEqual({ active: false })
    expect((await exchanged('ocr:read')).body).toMatchObject({ error: 'invalid_target' })
    expect((await browser.get(path)).text).not.toContain('<button type="submit">Keep')
    expect((await browser.get(`${path}/revoke`)).status).toBe(409)
  })

  test('stays as it is for a form without scopes, with a foreign scope, without a change, or with a bad day', async () => {
    const { browser, person } = world
    const { path } = await consented()
    const shown = await browser.get(path)
    const all = { scope: ['ocr:read', 'ocr:admin'] }
    for (const [fields, text] of [
      [{}, 'at least one scope'],
      [{ scope: ['ocr:read', 'ocr:other'] }, 'reload the page'],
      [{ ...all, tool: 'rm' }, 'reload the page'],
      [all, 'untick what'],
      [{ ...all, until: '2030-13-01' }, 'must be a date'],
      [{ ...all, until: '1999-01-01' }, 'new end is in the past'],
    ] as const) {
      const refused = await browser.submit(shown, `${path}/narrow`, { ...fields })
      expect([refused.status, refused.text.includes(text), text]).toEqual([400, true, text])
    }
    expect(await person.query('consents.get', { consentId: path.slice(14) })).toMatchObject({ state: 'valid' })
    expect(await browser.submit(shown, `${path}/narrow`, { ...all, until: day(30) })).toMatchObject({ status: 303 })
    expect((await browser.get(path)).text).toContain(`${day(30)} 23:59 UTC`)
  })

  test('is shown to its person only, and there is no page for an id of another form', async () => {
    const { admin } = world
    const { path } = await consented()
    const ofAdmin = await signedIn(registry, admin)
    expect((await ofAdmin.get(path)).status).toBe(404)
    expect((await ofAdmin.get(`${path}/revoke`)).status).toBe(404)
    expect((await world.browser.get('/you/consents/cns_x')).status).toBe(404)
    expect((await world.browser.get('/you/consents/__proto__')).status).toBe(404)
    const stranger = newBrowser(registry.issuer)
    expect(await stranger.get(path)).toMatchObject({ status: 303, location: '/sign-in' })
  })

  test('among 500 is found by the pages of the list, each once', async () => {
    const { person } = world
    const { code } = await world.admin.mutate<{ code: string }>('members.invite', { orgId: world.admin.orgId, role: 'person' })
    const many = await registry.join(code, 'Mona')
    const { items } = await person.query<{ items: { consentId: string; state: string }[] }>('consents.list', {})
    const consents = registry.storage.collection(CONSENTS)
    const one = await consents.get(ConsentId.parse(items.find(({ state }) => state === 'valid')?.consentId))
    if (!one) throw new Error('no consent')
    const ids = Array.from({ length: 500 }, () => newId(systemRandom, 'cns'))
    const copies = ids.map((id, i) => ({
      ...one,
      id,
      memberId: many.clientId as typeof one.memberId,
      handle: newHandle(systemRandom, 'cns'),
      createdAt: i >> 1,
    }))
    expect(await registry.storage.commit(copies.map((copy) => consents.inserting(copy)))).toEqual({ ok: true })
    const browser = await signedIn(registry, many)
    expect((await browser.get('/you')).text).toContain('<a href="/you/consents">All consents</a>')
    const seen: string[] = []
    for (let path: string | undefined = '/you/consents'; path; ) {
      const shown = await browser.get(path)
      seen.push(...[...shown.text.matchAll(/aria-label="Show or change the consent (cns_[^"]+)"/g)].map(([, id = '']) => id))
      path = /<a href="(\/you\/consents\?cursor=[^"]+)">Older consents/.exec(shown.text)?.[1]
    }
    expect(seen.sort()).toEqual([...ids].sort())
    expect((await browser.get('/you/consents?cursor=x')).status).toBe(400)
  })
})

describe('an approval', () => {
  const ask = async (): Promise<{ approvalId: string; request: (more?: object) => Promise<OAuthResponse> }> => {
    const request = (more: object = {}) =>
      tokenRequest(registry, world.client, { grant_type: 'client_credentials', resource: URI, scope: 'files:read files:write', ...more })
    const { body } = await request()
    const asked = { bindingToken: body.access_request.binding_token, purpose: 'tidy <b>up</b>' }
    const { approvalId } = await world.client.mutate<{ approvalId: string }>('approvals.request', asked)
    return { approvalId, request }
  }

  test('is shown with everything that the approver has to know, narrowed and approved; then the agent goes on', async () => {
    const { browser } = world
    const { approvalId, request } = await ask()
    const path = `/you/approvals/${approvalId}`
    expect(pathsIn(await browser.get('/you'), 'approvals')).toContain(path)
    const shown = await browser.get(path)
    for (const text of [
      URI,
      'Files &lt;script>',
      'tidy &lt;b>up&lt;/b>',
      'Read &lt;i>your&lt;/i> files',
      'The resource requires a person',
      'unknown',
    ])
      expect([text, shown.text.includes(text)]).toEqual([text, true])
    expect(await browser.submit(shown, `${path}/approve`, { scope: 'files:write' })).toMatchObject({ status: 303 })
    expect((await request({ approval_id: approvalId })).body).toMatchObject({ error: 'conflict' })
    expect(await request({ scope: 'files:write', approval_id: approvalId })).toMatchObject({ status: 200, body: { scope: 'files:write' } })
    expect(pathsIn(await browser.get('/you/approvals'), 'approvals')).not.toContain(path)
    const again = await browser.submit(shown, `${path}/approve`, { scope: 'files:write' })
    expect([again.status, again.text.includes('not pending')]).toEqual([409, true])
  })

  test('of two decisions at once one counts; a denial tells the requester why', async () => {
    const { browser, client, admin } = world
    const { approvalId, request } = await ask()
    const path = `/you/approvals/${approvalId}`
    const other = await signedIn(registry, admin)
    const [mine, theirs] = [await browser.get(path), await other.get(path)]
    const note = `${'a'.repeat(511)}😀`
    const tooLong = await browser.submit(mine, `${path}/deny`, { note: 'a'.repeat(513) })
    expect([tooLong.status, tooLong.text.includes('at most 512 characters')]).toEqual([400, true])
    const decided = await Promise.all([browser.submit(mine, `${path}/deny`, { note }), other.submit(theirs, `${path}/deny`, { note })])
    expect(decided.map(({ status }) => status).sort()).toEqual([303, 409])
    expect(await client.query('approvals.get', { approvalId })).toMatchObject({ state: 'denied', note })
    expect((await request({ approval_id: approvalId })).status).toBe(409)
  })

  test('of an introduction is approved with less, in the same way', async () => {
    const { admin, browser } = world
    await admin.mutate('resources.register', {
      uri: `${URI}/2`,
      name: 'Second',
      scopes: [
        { scope: 'a', words: 'A' },
        { scope: 'b', words: 'B' },
      ],
      policy: { mode: 'ask' },
    })
    const { items } = await admin.query<{ items: { resourceId: string; uri: string }[] }>('resources.list', {})
    const to = items.find(({ uri }) => uri === `${URI}/2`)?.resourceId
    const planner = world.client
    await admin.mutate('agents.change', {
      agentId: planner.agentId,
      addRights: ['a', 'b'].map((scope) => ({ audience: `${URI}/2`, scope })),
    })
    const { introductionId } = await planner.mutate<{ introductionId: string }>('introductions.request', {
      to,
      purpose: 'p',
      scopes: ['a', 'b'],
    })
    const path = `/you/approvals/${introductionId}`
    const shown = await browser.get(path)
    expect(shown.text).toContain('The target approves each introduction.')
    expect(await browser.submit(shown, `${path}/approve`, { scope: 'a' })).toMatchObject({ status: 303 })
    expect(await planner.query('introductions.get', { introductionId })).toMatchObject({ state: 'granted', bounds: { scopes: ['a'] } })
  })

  test('cannot be hidden by newer requests that were cancelled: a page without one says that older ones may be pending', async () => {
    const { admin, client, browser } = world
    const path = `/you/approvals/${(await ask()).approvalId}`
    registry.clock.advance(1)
    const { approvalId } = await ask()
    await client.mutate('approvals.cancel', { approvalId })
    const approvals = approvalsStore(registry)
    const one = await approvals.get(approvalId as ApprovalId)
    if (!one) throw new Error('no approval')
    const flood = (count: number) =>
      registry.storage.commit(Array.from({ length: count }, () => approvals.inserting({ ...one, id: newId(systemRandom, 'apr') })))
    expect(await flood(300)).toEqual({ ok: true })
    expect(pathsIn(await browser.get('/you'), 'approvals')).toContain(path)
    for (let i = 0; i < 4; i++) await flood(500)
    const shown = await browser.get('/you')
    expect(shown.text).not.toContain('No request waits.')
    expect(shown.text).toContain('Older ones may be pending.')
    const first = await (await signedIn(registry, admin)).get('/you/approvals')
    const older = /<a href="(\/you\/approvals\?cursor=[^"]+)">Older requests/.exec(first.text)?.[1] ?? ''
    expect(pathsIn(await browser.get(older), 'approvals')).toContain(path)
  })

  test('waits for nobody in the role person, nor for another organisation', async () => {
    const { admin } = world
    const { approvalId } = await ask()
    const { code } = await admin.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role: 'person' })
    for (const member of [await registry.join(code, 'Pia'), await registry.organisation('Other')]) {
      const browser = await signedIn(registry, member)
      expect((await browser.get('/you')).text).not.toContain(approvalId)
      expect((await browser.get('/you/approvals')).text).toContain('There are no pending requests.')
      expect((await browser.get(`/you/approvals/${approvalId}`)).status).toBe(404)
    }
  })
})

test('a task is paused, resumed and ended', async () => {
  const { person, browser } = world
  const { taskId } = await person.tasks.create({ description: 'tidy up' })
  const states: string[] = []
  for (const operation of ['pause', 'resume', 'end']) {
    expect(await browser.submit(await browser.get('/you'), `/you/tasks/${taskId}/${operation}`)).toMatchObject({ status: 303 })
    states.push((await person.tasks.get(taskId)).state)
  }
  expect(states).toEqual(['paused', 'active', 'ended'])
})
