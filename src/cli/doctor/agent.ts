// Checks of the addresses in an agent's public card, as a stranger can make them: each must be reachable by its name, with a valid certificate, and
// must refuse a request without a token by the challenge of `credence/verifier`. Whether a path that a proxy rewrites fits `publicUrl` is seen only by
// a call with a token.
import { z } from 'zod'
import type { Clock } from '../../lib/clock.js'
import { isLoopback } from '../../lib/hosts/loopback.js'
import { fetchBytes, fetchJson } from '../../lib/io/fetch-json.js'
import { readCard } from '../../protocol/cards/card-model.js'
import { type AgentId, audienceOf } from '../../protocol/ids.js'
import { resourceMetadataUrl } from '../../protocol/resources/metadata.js'
import { type Check, fail, messageOf, ok, tryCheck, warn } from './check.js'
import { checkDns, checkTls } from './connection.js'

interface AgentDeps {
  readonly issuer: string
  readonly clock: Clock
}

const PUBLISH_TODO = 'Publish a card for it (credence card publish), with an interface that strangers may see.'
const CALL_TODO = 'Check that the agent runs, and that its proxy forwards this path to it.'
const METADATA_TODO =
  'Let the metadata (RFC 9728) name this registry in `authorization_servers`, and the audience of the agent as `resource`.'
const GUARD_TODO = 'Put a guard of credence/verifier, with the audience of this agent, before its endpoint.'

export async function checkAgent(deps: AgentDeps, agentId: AgentId): Promise<Check[]> {
  const page = await fetchBytes(deps.clock, `${deps.issuer}/agents/${agentId}/.well-known/agent-card.json`).catch(messageOf)
  if (typeof page === 'string') return [fail('card', page, 'Check the registry first.')]
  return page.status === 200
    ? checkCard(deps, agentId, page.body)
    : [fail('card', `the registry serves no card of ${agentId} (status ${page.status})`, PUBLISH_TODO)]
}

/** Exported for tests: a card with such addresses is published only in development mode. */
export async function checkCard(deps: AgentDeps, agentId: AgentId, card: Uint8Array | string): Promise<Check[]> {
  const { model, lenientModel } = readCard(card)
  const interfaces = (model ?? lenientModel)?.supportedInterfaces ?? []
  if (interfaces.length === 0) return [warn('card', `the public card of ${agentId} names no address`, PUBLISH_TODO)]
  const found = ok('card', `the public card of ${agentId} names ${interfaces.map(({ url }) => url).join(', ')}`)
  const checks = await Promise.all(interfaces.map(({ url, protocolBinding }) => checkInterface(deps, agentId, url, protocolBinding)))
  return [found, ...checks.flat()]
}

async function checkInterface(deps: AgentDeps, agentId: AgentId, text: string, binding: string): Promise<Check[]> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return [warn('agent', `${text} (${binding}) is not checked: it is no http URL`, CALL_TODO)]
  const isLocal = isLoopback(url.hostname)
  if (isLocal && !isLoopback(new URL(deps.issuer).hostname))
    return [fail('agent', `${text} is an address of the caller's own machine`, 'Publish the card with the public URL of the agent.')]
  if (url.protocol === 'http:' && !isLocal)
    return [fail('agent', `${text} is not encrypted`, 'Serve the agent by https, and publish that URL.')]
  const dns = { ...(await checkDns(url)), check: 'agent dns' }
  if (dns.state === 'fail') return [dns]
  const tls = { ...(await tryCheck('tls', CALL_TODO, () => checkTls(deps.clock, url))), check: 'agent tls' }
  if (tls.state === 'fail') return [dns, tls]
  return [dns, tls, await tryCheck('agent', CALL_TODO, () => checkChallenge(deps, agentId, url))]
}

/** Sends an empty call without a token. */
async function checkChallenge({ issuer, clock }: AgentDeps, agentId: AgentId, url: URL): Promise<Check> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
  const { status, headers } = await fetchBytes(clock, url.href, init)
  const challenge = headers.get('www-authenticate') ?? ''
  const refused = `${url.href} refuses a call without a token`
  if (status >= 500) return fail('agent', `${url.href} responded with status ${status}`, CALL_TODO)
  if (status !== 401) return fail('agent', `${url.href} does not refuse a call without a token (status ${status})`, GUARD_TODO)
  if (!challenge.startsWith('DPoP ')) return fail('agent', `${refused}, but does not ask for a token of this registry`, GUARD_TODO)
  const named = /\bresource_metadata="([^"]+)"/.exec(challenge)?.[1]
  const audience = audienceOf(issuer, agentId)
  if (named === resourceMetadataUrl(audience)) return ok('agent', `${refused}, as this agent`)
  // A guard of other software may serve the metadata of the agent itself
  if (named !== undefined && URL.canParse(named) && new URL(named).origin === url.origin)
    return checkOwnMetadata(clock, { named, issuer, audience, refused })
  return fail('agent', `${refused}, but names another audience: it is the endpoint of another agent`, GUARD_TODO)
}

const ResourceMetadata = z.object({ resource: z.string(), authorization_servers: z.array(z.string()).default([]) })

/** RFC 9728 §3.3: the document must name the resource for which it was requested. */
async function checkOwnMetadata(
  clock: Clock,
  {
    named,
    issuer,
    audience,
    refused,
  }: { readonly named: string; readonly issuer: string; readonly audience: string; readonly refused: string },
): Promise<Check> {
  const { status, value } = await fetchJson(clock, named)
  if (status !== 200) return fail('agent', `${refused}, but ${named} responded with status ${status}`, METADATA_TODO)
  const { resource, authorization_servers } = ResourceMetadata.parse(value)
  if (!authorization_servers.includes(issuer))
    return fail('agent', `${refused}, but ${named} does not name ${issuer} as an authorization server`, METADATA_TODO)
  return resource === audience
    ? ok('agent', `${refused}, and its metadata name this registry and this agent`)
    : fail('agent', `${refused}, but ${named} is of the resource ${resource}, not of ${audience}`, METADATA_TODO)
}
