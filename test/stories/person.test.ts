import { afterAll, beforeAll, expect, test } from 'vitest'
import { createVerifier } from '../../src/verifier/index.js'
import { claimsOf } from '../claims-of.js'
import { signedIn } from '../identity/people/browser.js'
import { codeFor, type PersonWorld, personWorld, redeem } from '../oauth/authorize/person-world.js'
import { exchangeForm, type OAuthResponse, proofOf, tokenRequest } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { reasonOf } from './actors.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

test('a person consents, an agent acts and passes on, the called agents see for whom; the person revokes and everything is refused', async () => {
  const { client, ocr, archive, person } = world
  const delegation = { depth: 2, rights: [{ audience: archive.audience, scope: 'ocr:read' }] }
  const code = await codeFor(
    registry,
    world,
    { scope: 'tokens:exchange ocr:read', delegation: JSON.stringify(delegation) },
    { passOn: 'yes' },
  )

  const root = await redeem(registry, world, code, { resource: registry.issuer })
  expect(root).toMatchObject({ status: 200, body: { token_type: 'DPoP', scope: 'tokens:exchange' } })
  const rootClaims = claimsOf(root.body.access_token)
  expect(rootClaims).toMatchObject({ aud: registry.issuer, act: { sub: client.agentId }, client_id: client.agentId })
  expect(rootClaims.sub).toMatch(/^per_/)

  const forOcr = await tokenRequest(
    registry,
    client,
    exchangeForm(root.body.access_token, ocr.audience, { scope: 'ocr:read', delegation: JSON.stringify({ ...delegation, depth: 1 }) }),
  )
  expect(forOcr).toMatchObject({ status: 200 })
  const ocrClaims = claimsOf(forOcr.body.access_token)
  expect(ocrClaims).toMatchObject({ act: { sub: client.agentId }, scope: 'ocr:read' })
  const forArchive = await tokenRequest(registry, ocr, exchangeForm(forOcr.body.access_token, archive.audience, { scope: 'ocr:read' }))
  expect(forArchive).toMatchObject({ status: 200 })
  const archiveClaims = claimsOf(forArchive.body.access_token)
  expect(archiveClaims).toMatchObject({ sub: ocrClaims.sub, act: { sub: ocr.agentId, act: { sub: client.agentId } } })
  expect(ocrClaims.sub).not.toBe(rootClaims.sub)
  for (const { body } of [root, forOcr, forArchive]) expect(JSON.stringify(claimsOf(body.access_token))).not.toMatch(/mem[_:]/)

  expect(await archive.introspect(forArchive.body.access_token)).toMatchObject({ active: true, sub: archiveClaims.sub })

  const { items } = await person.query<{ items: { consentId: string; audience: string; state: string }[] }>('consents.list', {})
  expect(items.map(({ audience, state }) => [audience, state])).toEqual(
    expect.arrayContaining([
      [registry.issuer, 'valid'],
      [ocr.audience, 'valid'],
    ]),
  )
  const consent = items.find(({ audience }) => audience === ocr.audience)
  await person.mutate('consents.revoke', { consentId: consent?.consentId })
  expect(await archive.introspect(forArchive.body.access_token)).toEqual({ active: false })
  expect(await ocr.introspect(forOcr.body.access_token)).toEqual({ active: false })
  const again = await tokenRequest(registry, client, exchangeForm(root.body.access_token, ocr.audience, { scope: 'ocr:read' }))
  expect(again).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
})

test('for a task of a person an agent calls another organisation, which calls a resource: each hop is narrower, each party sees its part, and the feed ends it', async () => {
  const { client, ocr, person, admin, calledAdmin } = world
  const uri = 'http://127.0.0.1:9/ledger'
  const initech = await registry.organisation('Initech')
  const server = await registry.agent({ registeredBy: initech })
  await initech.mutate('resources.register', {
    uri,
    name: 'Ledger',
    scopes: ['read', 'write'].map((verb) => ({ scope: `ledger:${verb}`, words: verb })),
    policy: { mode: 'open', people: 'any' },
    operatorAgentId: server.agentId,
  })
  const rights = ['ledger:read', 'ledger:write'].map((scope) => ({ audience: uri, scope }))
  const delegation = { depth: 1, rights }
  await admin.mutate('agents.change', { agentId: client.agentId, addRights: rights })
  await calledAdmin.mutate('agents.change', { agentId: ocr.agentId, addRights: rights })
  const { introductionId } = await client.introductions.request({
    to: ocr.agentId,
    purpose: 'p',
    scopes: ['ocr:read', 'ocr:admin'],
    delegation,
  })
  await ocr.introductions.approve(introductionId)

  const { taskId } = await person.tasks.create({ description: 'my tax return' })
  const asked = { scope: 'tokens:exchange ocr:read ocr:admin', task_id: taskId, delegation: JSON.stringify(delegation), prompt: 'consent' }
  const code = await codeFor(registry, world, asked, { passOn: 'yes' })
  const { access_token: root } = (await redeem(registry, world, code, { resource: registry.issuer })).body
  const exchange = (by: typeof client, subject: string, audience: string, more: object) =>
    tokenRequest(registry, by, exchangeForm(subject, audience, { ...more }))
  const narrower = JSON.stringify({ depth: 1, rights: rights.slice(0, 1) })
  const atOcr = (await exchange(client, root, ocr.audience, { scope: 'ocr:read', delegation: narrower })).body.access_token
  const atLedger = (await exchange(ocr, atOcr, uri, { scope: 'ledger:read' })).body.access_token

  // No hop gets more than the one before
  const refused = async (answer: Promise<OAuthResponse>) => (await answer).body.error
  expect(await refused(exchange(client, root, ocr.audience, { scope: 'ocr:write' }))).toBe('invalid_scope')
  expect(await refused(exchange(client, root, uri, { scope: 'ledger:read' }))).toBe('invalid_target')
  expect(await refused(exchange(ocr, atOcr, uri, { scope: 'ledger:write' }))).toBe('invalid_scope')
  expect(await refused(exchange(ocr, atOcr, uri, { scope: 'ledger:read', delegation: narrower }))).toBe('delegation_too_deep')
  expect(await refused(exchange(client, atOcr, uri, { scope: 'ledger:read' }))).toBe('invalid_request')

  // Each audience sees the person by a name of its own, and who acts
  const [seenByOcr, seenByServer] = [await ocr.introspect(atOcr), await server.introspect(atLedger)]
  expect(seenByOcr).toMatchObject({ active: true, scope: 'ocr:read', task_id: taskId, act: { sub: client.agentId } })
  expect(seenByServer).toMatchObject({ active: true, scope: 'ledger:read', act: { sub: ocr.agentId, act: { sub: client.agentId } } })
  expect(new Set([claimsOf(root).sub, seenByOcr.sub, seenByServer.sub]).size).toBe(3)
  expect(JSON.stringify([seenByOcr, seenByServer])).not.toContain(person.clientId)
  expect([await client.introspect(atLedger), await server.introspect(atOcr)]).toEqual([{ active: false }, { active: false }])

  // The person sees each token of its task, the called agent those that it is part of, and a stranger none
  const lineage = async (by: { lineage: typeof client.lineage }) =>
    (await by.lineage({ taskId })).map(({ tokenId, revoked }) => [tokenId, revoked])
  const ids = [root, atOcr, atLedger].map((token) => claimsOf(token).jti)
  expect(await lineage(person)).toEqual(ids.map((id) => [id, false]))
  expect(await lineage(ocr)).toEqual(ids.slice(1).map((id) => [id, false]))
  expect(await reasonOf(world.archive.lineage({ taskId }))).toBe('not_found')

  // The consent for the first hop ends the last one, at a verifier that asks nobody
  const feed = await server.subscribe()
  const verifier = createVerifier({
    issuer: registry.issuer,
    resource: uri,
    publicUrl: 'http://127.0.0.1:9',
    standing: feed,
    clock: registry.clock,
  })
  const call = async () => {
    const dpop = await proofOf(registry, ocr.signer, { path: '', accessToken: atLedger }, { htu: uri })
    return reasonOf(verifier.verify({ method: 'POST', url: '/ledger', headers: { authorization: `DPoP ${atLedger}`, dpop } }))
  }
  expect(await call()).toBe('done')
  const { items } = await person.query<{ items: { consentId: string; audience: string; state: string }[] }>('consents.list', {})
  const consent = items.find(({ audience, state }) => audience === ocr.audience && state === 'valid')
  await person.mutate('consents.revoke', { consentId: consent?.consentId })
  await feed.sync()
  expect(await call()).toBe('invalid_token')
  feed.close()
  expect(await server.introspect(atLedger)).toEqual({ active: false })
  expect(await lineage(person)).toEqual([[ids[0], false], ...ids.slice(1).map((id) => [id, true])])
  await person.tasks.end(taskId)
  expect(await lineage(person)).toEqual(ids.map((id) => [id, true]))
})

test('an approval for one person is not good for another, nor for the agent itself; its audience sees for whom', async () => {
  const { client, person, admin } = world
  const uri = 'http://127.0.0.1:9/approved'
  const scopes = [{ scope: 'files', words: 'Files', approval: 'organisation' }]
  const resource = await registry.organisation('Files')
  await resource.mutate('resources.register', { uri, name: 'Files', scopes, policy: { mode: 'open', people: 'any' } })
  await admin.mutate('agents.change', { agentId: client.agentId, addRights: [{ audience: uri, scope: 'files' }] })
  const { code: invitation } = await admin.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role: 'member' })
  const other = { ...world, browser: await signedIn(registry, await registry.join(invitation, 'Pat')) }
  const ask = async (request: () => Promise<OAuthResponse>): Promise<{ approvalId: string; subject: string }> => {
    const { body } = await request()
    const bindingToken = body.access_request.binding_token
    const { approvalId } = await client.mutate<{ approvalId: string }>('approvals.request', { bindingToken, purpose: 'x' })
    const { subject } = await resource.query<{ subject: string }>('approvals.get', { approvalId })
    await resource.mutate('approvals.approve', { approvalId })
    return { approvalId, subject }
  }
  const redeemed = async (of: PersonWorld, more: object = {}) =>
    redeem(registry, of, await codeFor(registry, of, { resource: uri, scope: 'files' }), { resource: uri, ...more })
  const forPetra = await ask(() => redeemed(world))
  const forAgent = await ask(() => tokenRequest(registry, client, { grant_type: 'client_credentials', resource: uri }))
  expect(forAgent.subject).toBe(client.agentId)
  for (const { approvalId } of [forPetra, forAgent])
    expect(await redeemed(other, { approval_id: approvalId })).toMatchObject({ body: { error: 'conflict' } })
  const issued = await redeemed(world, { approval_id: forPetra.approvalId })
  expect(claimsOf(issued.body.access_token).sub).toBe(forPetra.subject)
  expect(JSON.stringify(forPetra)).not.toContain(person.clientId)
})
