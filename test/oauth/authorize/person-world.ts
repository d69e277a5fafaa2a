import { digestOfText } from '../../../src/credentials/jose/digest.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type Browser, hiddenFieldsOf, type Shown, signedIn } from '../../identity/people/browser.js'
import type { Actor, AgentActor, Registry } from '../../registry.js'
import { aCard } from '../../registry.js'
import { assertionOf, freshNonce, type OAuthResponse, postForm, proofOf, tokenRequest } from '../requests.js'

export const REDIRECT = 'https://client.example/callback'
export const VERIFIER = 'v'.repeat(43)

type FormFields = Readonly<Record<string, string | readonly string[]>>
type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>

/** A person, an agent that asks for it, an agent that is called, and one that is called on. */
export interface PersonWorld {
  readonly person: Actor
  /** The administrator of the organisation of person and client. */
  readonly admin: Actor
  /** The administrator of the organisation of the called agents. */
  readonly calledAdmin: Actor
  readonly browser: Browser
  readonly client: AgentActor
  readonly ocr: AgentActor
  readonly archive: AgentActor
}

const agentWithCard = async (registry: Registry, registeredBy: Actor, name: string, ceiling: object = {}): Promise<AgentActor> => {
  const agent = await registry.agent({
    registeredBy,
    name: `${name} ${systemRandom.token(4)}`,
    ceiling,
    introductionPolicy: { mode: 'open' },
  })
  await agent.publish({ card: aCard(registry) })
  return agent
}

export async function personWorld(registry: Registry): Promise<PersonWorld> {
  const acme = await registry.organisation(`Acme ${systemRandom.token(4)}`)
  const globex = await registry.organisation(`Globex ${systemRandom.token(4)}`)
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const person = await registry.join(code, 'Petra')
  const archive = await agentWithCard(registry, globex, 'Archive')
  const toArchive = { audience: archive.audience, scope: 'ocr:read' }
  const ocr = await agentWithCard(registry, globex, 'OCR', { rights: [toArchive], delegationDepth: 2 })
  const rights = [toArchive, { audience: ocr.audience, scope: 'ocr:read' }, { audience: ocr.audience, scope: 'ocr:admin' }]
  const client = await registry.agent({
    registeredBy: acme,
    name: `Planner ${systemRandom.token(4)}`,
    ceiling: { rights, delegationDepth: 2 },
  })
  await acme.mutate('agents.change', { agentId: client.agentId, redirectUris: [REDIRECT, 'http://127.0.0.1/cb'] })
  const delegation = { depth: 2, rights: [toArchive] }
  const introduced = await client.mutate<{ introductionId: string }>('introductions.request', {
    to: ocr.agentId,
    purpose: 'p',
    scopes: ['ocr:read', 'ocr:admin'],
    delegation,
  })
  await globex.mutate('introductions.approve', { introductionId: introduced.introductionId })
  await ocr.mutate('introductions.request', { to: archive.agentId, purpose: 'p', scopes: ['ocr:read'] })
  return { person, admin: acme, calledAdmin: globex, client, ocr, archive, browser: await signedIn(registry, person) }
}

export const authorizationForm = (registry: Registry, { client, ocr }: PersonWorld, more: Parameters = {}): Parameters => ({
  client_id: client.agentId,
  response_type: 'code',
  redirect_uri: REDIRECT,
  code_challenge: digestOfText(VERIFIER),
  code_challenge_method: 'S256',
  state: 'the state',
  resource: [registry.issuer, ocr.audience],
  ...more,
})

const pairsOf = (form: Parameters): [string, string][] =>
  Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one])))

export async function push(
  registry: Registry,
  world: PersonWorld,
  more: Parameters = {},
  headers: Record<string, string> = {},
): Promise<OAuthResponse> {
  const assertion = await assertionOf(registry, world.client)
  const form = pairsOf({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    ...authorizationForm(registry, world, more),
  })
  return postForm(registry, '/oauth/par', form, headers)
}

/** The address of the page of a pushed request. */
export const pageOf = ({ client }: PersonWorld, requestUri: string): string =>
  `/oauth/authorize?${new URLSearchParams({ client_id: client.agentId, request_uri: requestUri })}`

export const ticked = ({ text }: Shown): string[] => [...text.matchAll(/name="right" value="([^"]*)"/g)].map(([, value = '']) => value)

const DECISION = '/oauth/authorize/decision'

/** Decides on the page of a request. By default everything is allowed. */
export const decide = (browser: Browser, shown: Shown, fields: FormFields = {}): Promise<Shown> =>
  browser.post(DECISION, {
    ...hiddenFieldsOf(shown, DECISION),
    decision: 'allow',
    right: ticked(shown),
    duration: shown.text.includes('value="task"') ? 'task' : 'once',
    ...fields,
  })

/** The parameters with which the browser is sent back to the client. */
export const returned = ({ location = '' }: Shown): Record<string, string> => Object.fromEntries(new URL(location).searchParams)

/** A push, a decision and the code. */
export async function codeFor(
  registry: Registry,
  world: PersonWorld,
  more: Parameters = {},
  fields: FormFields = {},
  headers: Record<string, string> = {},
): Promise<string> {
  const pushed = await push(registry, world, more, headers)
  const shown = await world.browser.get(pageOf(world, pushed.body.request_uri))
  const done = shown.status === 303 ? shown : await decide(world.browser, shown, fields)
  const { code } = returned(done)
  if (code === undefined) throw new Error(`no code: ${done.status} ${done.location} ${done.text}`)
  return code
}

export const redeem = (
  registry: Registry,
  { client }: PersonWorld,
  code: string,
  more: JsonObject = {},
  options = {},
): Promise<OAuthResponse> =>
  tokenRequest(
    registry,
    client,
    { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER, ...more },
    options,
  )

export async function refresh(
  registry: Registry,
  { client }: PersonWorld,
  refreshToken: string,
  more: JsonObject = {},
  headers: Record<string, string> = {},
): Promise<OAuthResponse> {
  const [assertion, nonce] = await Promise.all([assertionOf(registry, client), freshNonce(registry, client)])
  const proof = await proofOf(registry, client.signer, { path: '/oauth/token', nonce })
  const form = {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...more,
  }
  return postForm(registry, '/oauth/token', form, { dpop: proof, ...headers })
}

/** The id of a new consent of a member to an agent, for the registry itself. */
export async function aConsent(
  registry: Registry,
  { person, client, by }: { readonly person: Actor; readonly client: AgentActor; readonly by: Actor },
): Promise<string> {
  await by.mutate('agents.change', { agentId: client.agentId, redirectUris: [REDIRECT] })
  const world = { person, admin: by, calledAdmin: by, client, ocr: client, archive: client, browser: await signedIn(registry, person) }
  await codeFor(registry, world, { resource: registry.issuer, prompt: 'consent' })
  const { items } = await person.query<{ items: readonly { consentId: string }[] }>('consents.list', { client: client.agentId })
  return items[0]?.consentId ?? ''
}
