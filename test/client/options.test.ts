// Every public function of credence/client and credence/verifier refuses an option that it does not know. A new function must be listed here.
import { expect, test } from 'vitest'
import * as client from '../../src/client/index.js'
import * as verifier from '../../src/verifier/index.js'

const ISSUER = 'https://registry.example'
const signer = await client.newEs256Signer()
const isCalled: string[] = []
const fetch = async (url: unknown): Promise<Response> => {
  isCalled.push(String(url))
  return new Response('')
}
const base = { issuer: ISSUER, signer, fetch }
const agent = client.createAgent({ ...base, clientId: 'agt_x' })
const view = { audience: 'agt_x', now: 0 }
const guarded = { publicUrl: ISSUER, audience: 'https://registry.example/agents/agt_x', standing: { introspect: async () => ({}) } }
const newVerifier = (more: object = {}) => verifier.createVerifier({ issuer: ISSUER, ...guarded, ...more })
const request = { method: 'GET', url: '/', headers: {} }

/** Calls with the given options besides those that are required. */
type Call = (options: object) => unknown

const FUNCTIONS: Record<string, Call> = {
  createAgent: (more) => client.createAgent({ ...base, clientId: 'agt_x', ...more }),
  joinRegistry: (more) => client.joinRegistry({ ...base, code: 'x', name: 'x', ...more }),
  confirmAgent: (more) => client.confirmAgent({ ...base, agentId: 'agt_x', registrationToken: 'x', ...more }),
  connectDevice: (more) => client.connectDevice({ ...base, name: 'x', onCode: () => undefined, ...more }),
  registerClient: (more) => client.registerClient({ ...base, initialAccessToken: 'x', name: 'x', ...more }),
  redeemKeyCode: (more) => client.redeemKeyCode({ ...base, code: 'x', ...more }),
  verifyCardViewBundle: (more) => client.verifyCardViewBundle({}, { issuer: ISSUER, keys: [] }, { ...view, ...more }),
  createVerifier: newVerifier,
  guard: (more) => verifier.guard(newVerifier(), { scope: 'x', ...more }),
  guardFastify: (more) => verifier.guardFastify(newVerifier(), { scope: 'x', ...more }),
  guardFetch: (more) => verifier.guardFetch(newVerifier(), { scope: 'x', ...more }, () => new Response()),
  guardHono: (more) => verifier.guardHono(newVerifier(), { scope: 'x', ...more }),
  guardA2A: (more) => verifier.guardA2A({} as never, { verifier: newVerifier(), needs: {}, ...more }),
  guardMcp: (more) => verifier.guardMcp(newVerifier(), { scope: 'x', ...more }),
  protectedResource: (more) => verifier.protectedResource({ verifier: newVerifier(), scopes: ['x'], ...more }),
  memoryStores: (more) => verifier.memoryStores({ now: () => 0 }, more),
}
/** Functions without options, and those whose members are all required, so that a misspelt one is missed at once. */
const WITHOUT_OPTIONS = {
  client:
    'newEs256Signer newPageSigner newPrivateJwk proveDpop signerFromJwk logOrigin isConsistent isIncluded newLogCopy parseCheckpoint readCheckpoint readInclusion readCosignedCheckpoint readVerifierKeys verifyWholeLog fetchRegistryKeys issuerOf credenceLink CredenceError',
  verifier: 'CredenceError a2aUser verifiedOf needsForAll credenceOf refusalResponse mcpAuthOf',
}

const METHODS: Record<string, Call> = {
  token: (more) => agent.token([], more),
  exchange: (more) => agent.exchange({ audience: 'x', ...more }),
  introspect: (more) => agent.introspect('x', more),
  verifyToken: (more) => agent.verifyToken('x', more),
  listTokens: (more) => agent.listTokens({ task: 'x', ...more } as never),
  settleToken: (more) => agent.settleToken('x', { calls: 1, ...more }),
  revoke: (more) => agent.revoke('x', more),
  search: (more) => agent.search(more),
  publish: (more) => agent.publish({ card: {}, ...more }),
  cardHistory: (more) => agent.cardHistory('x', more),
  deprecate: (more) => agent.deprecate(more),
  yank: (more) => agent.yank({ version: 1, ...more }),
  present: (more) => agent.present({ ownSdJwt: 'x', audience: 'x', nonce: 'x', ...more }),
  introduce: (more) => agent.introduce({ to: 'x', purpose: 'x', scopes: [], ...more }),
  lineage: (more) => agent.lineage({ taskId: 'x', ...more }),
  fetchAs: (more) => agent.fetchAs({ audience: 'x', ...more }),
  rotateKey: (more) => agent.rotateKey(signer, more),
  rotatePublisherKey: (more) =>
    client.createAgent({ ...base, clientId: 'agt_x', publisher: signer }).rotatePublisherKey('org_x', signer, more),
  subscribe: (more) => agent.subscribe(more),
  'introductions.request': (more) => agent.introductions.request({ to: 'x', purpose: 'x', scopes: [], ...more }),
  'introductions.introduce': (more) => agent.introductions.introduce({ to: 'x', purpose: 'x', scopes: [], ...more }),
  'introductions.list': (more) => agent.introductions.list(more),
  'introductions.approve': (more) => agent.introductions.approve('x', more),
  'introductions.narrow': (more) => agent.introductions.narrow('x', more),
  'introductions.revoke': (more) => agent.introductions.revoke('x', more),
  'approvals.list': (more) => agent.approvals.list(more),
  'approvals.approve': (more) => agent.approvals.approve('x', more),
  'approvals.obtain': (more) => agent.approvals.obtain({ endpoint: 'x', bindingToken: 'x', expiresAt: 0 }, { purpose: 'x', ...more }),
  'consents.list': (more) => agent.consents.list(more),
  'consents.narrow': (more) => agent.consents.narrow('x', more),
  'consents.revoke': (more) => agent.consents.revoke('x', more),
  'tasks.create': (more) => agent.tasks.create({ description: 'x', ...more }),
  'tasks.end': (more) => agent.tasks.end('x', more),
  'tasks.list': (more) => agent.tasks.list(more),
}
const METHODS_WITHOUT_OPTIONS =
  'query mutate card cardView verifyPresentation introductions.get introductions.deny introductions.inbox introductions.watch approvals.request approvals.get approvals.deny approvals.cancel approvals.withdraw approvals.watch consents.get tasks.get tasks.pause tasks.resume cardDiff suggest'

const functionsIn = (object: object, path = ''): string[] =>
  Object.entries(object).flatMap(([name, value]) => {
    if (typeof value === 'function') return [path + name]
    return path === '' && typeof value === 'object' && value !== null ? functionsIn(value, `${name}.`) : []
  })

test('the tables of this file name every public function', () => {
  const names = [...functionsIn({ ...client, ...verifier })].filter((name) => !name.includes('.'))
  const listed = [...Object.keys(FUNCTIONS), ...Object.values(WITHOUT_OPTIONS).flatMap((text) => text.split(' '))]
  expect([...new Set(listed)].sort()).toEqual([...new Set(names)].sort())
  expect([...Object.keys(METHODS), ...METHODS_WITHOUT_OPTIONS.split(' ')].sort()).toEqual(functionsIn(agent).sort())
})

const refusalOf = (call: () => unknown): Promise<unknown> =>
  Promise.resolve()
    .then(call)
    .catch((error: unknown) => error)

test.each(
  Object.entries({ ...FUNCTIONS, ...METHODS }),
)('%s refuses an unknown option by its name and sends nothing', async (name, call) => {
  isCalled.length = 0
  const error = await refusalOf(() => call({ 'mis/spelt': 1 }))
  expect(error).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/mis~1spelt', hint: 'unknown option' }] })
  expect(String(error)).toContain(`${name.replace('introductions.introduce', 'introduce')}`)
  expect(String(error)).toContain('unknown option "mis/spelt" (expected ')
  expect(isCalled).toEqual([])
})

test.each([
  'consents',
  'introductions',
] as const)('%s.narrow refuses a narrowing without a bound, which would leave all that was granted', async (name) => {
  isCalled.length = 0
  for (const to of [{}, { scopes: undefined }, Object.create({ scopes: ['ocr:read'] })])
    expect(await refusalOf(() => agent[name].narrow('x', to))).toMatchObject({
      reason: 'bad_input',
      message: `${name}.narrow: nothing to narrow: give at least one of scopes, tools, resources, delegation, until`,
    })
  expect(isCalled).toEqual([])
})

test('verify() of a verifier refuses an unknown need, which would require nothing of the token', async () => {
  const error = await refusalOf(() => newVerifier().verify(request, { scopes: 'x' } as never))
  expect(error).toMatchObject({ reason: 'bad_input', message: 'verify: needs: unknown option "scopes" (expected scope, tool, resource)' })
})

test('verify() of a verifier refuses an unknown option, with which a handshake would count as a call', async () => {
  const error = await refusalOf(() => newVerifier().verify(request, {}, { isCal: false } as never))
  expect(error).toMatchObject({ reason: 'bad_input', message: 'verify: unknown option "isCal" (expected isCall)' })
})

test('a text in the place of options is refused, not read as its characters', async () => {
  for (const call of [() => agent.tasks.end('x', 'policy' as never), () => agent.revoke('x', 'policy' as never)])
    expect(await refusalOf(call)).toMatchObject({
      reason: 'bad_input',
      message: expect.stringMatching(/: the options must be an object with the members reason, note(, |$)/),
    })
})

test('createVerifier accepts what sqliteVerifierStore returns', () => {
  const { replay, taskBindings } = verifier.memoryStores({ now: () => 0 })
  expect(newVerifier({ replay, taskBindings, close: () => undefined }).taskBindings).toBe(taskBindings)
})

test('an inherited option that the function does not know is refused too', async () => {
  const misspelt = Object.assign(Object.create({ scop: ['x'] }), { audience: guarded.audience })
  await expect(agent.exchange(misspelt)).rejects.toMatchObject({ reason: 'bad_input' })
  expect(isCalled).toEqual([])
})
