import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../claims-of.js'
import { signedIn } from '../identity/people/browser.js'
import { codeFor, type PersonWorld, personWorld, redeem } from '../oauth/authorize/person-world.js'
import { exchangeForm, type OAuthResponse, tokenRequest } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'

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
