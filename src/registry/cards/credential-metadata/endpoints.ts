// Documents with which any SD-JWT VC verifier can check a card that it was given (draft-ietf-oauth-sd-jwt-vc-26): the keys of the publisher that `iss`
// names (§4), and the type that `vct` names (§5).
import { refuse } from '../../../errors.js'
import { type HttpRequest, type HttpResponse, json, type Route } from '../../../http/route.js'
import { findRegisteredKeys } from '../../../identity/keys/find.js'
import type { RegisteredKey } from '../../../identity/keys/store.js'
import type { Handle } from '../../../protocol/handles.js'
import { AgentId, OrgId } from '../../../protocol/ids.js'
import { issuerUrlOf, type KeyOwner } from '../../../protocol/key-statement.js'
import { type GetCardDeps, requirePublishedCard } from '../get.js'
import { typeMetadata } from './type-metadata.js'

const SHORT = { 'cache-control': 'public, max-age=60' }
/** A malformed id, an unknown one, and a publisher without a key get the same refusal. */
const [NO_CARD, NO_ORGANISATION] = ['no such card', 'no such organisation']
const LONG = { 'cache-control': 'public, max-age=3600' }

export const credentialMetadata = (deps: GetCardDeps): Route[] => [
  {
    method: 'GET',
    path: '/.well-known/jwt-vc-issuer',
    endpoint: async () => json(200, { issuer: deps.issuer, jwks_uri: `${deps.issuer}/.well-known/jwks.json` }, LONG),
  },
  {
    method: 'GET',
    path: '/.well-known/jwt-vc-issuer/agents/:id',
    endpoint: async (request) => agentMetadata(deps, idOf(AgentId, request, NO_CARD)),
  },
  {
    method: 'GET',
    path: '/.well-known/jwt-vc-issuer/organisations/:id',
    endpoint: async (request) => organisationMetadata(deps, idOf(OrgId, request, NO_ORGANISATION)),
  },
  {
    method: 'GET',
    path: '/vct/a2a-agent-card/1',
    endpoint: async () => json(200, typeMetadata(deps.issuer), LONG),
  },
]

/** The agent's own key, if the published card is signed by it. Agents without a published card get the response of unknown ones. */
async function agentMetadata(deps: GetCardDeps, agentId: AgentId): Promise<HttpResponse> {
  const { card, dependsOn } = await requirePublishedCard(deps, agentId)
  const key = card.signer?.owner === agentId ? await deps.registeredKeys.get(card.signer.keyId) : undefined
  return metadataOf(deps, agentId, key ? [key] : [], dependsOn) ?? refuse('not_found', NO_CARD)
}

/** The publisher keys of an organisation. */
async function organisationMetadata(deps: GetCardDeps, orgId: OrgId): Promise<HttpResponse> {
  const organisation = await deps.organisations.get(orgId)
  const keys = (await findRegisteredKeys(deps, orgId)).filter(({ use }) => use === 'publisher')
  return !organisation || deps.trustLog.ended.has(organisation.handle)
    ? refuse('not_found', NO_ORGANISATION)
    : (metadataOf(deps, orgId, keys, [organisation.handle]) ?? refuse('not_found', NO_ORGANISATION))
}

function metadataOf(
  deps: GetCardDeps,
  owner: KeyOwner,
  keys: readonly RegisteredKey[],
  dependsOn: readonly Handle[],
): HttpResponse | undefined {
  const standing = keys.filter(({ handle }) => !deps.trustLog.ended.has(handle))
  if (standing.length === 0) return undefined
  const jwks = { keys: standing.map(({ jwk, jkt, alg }) => ({ ...jwk, kid: jkt, alg, use: 'sig' })) }
  return {
    ...json(200, { issuer: issuerUrlOf(deps.issuer, owner), jwks }, SHORT),
    dependsOn: [...dependsOn, ...standing.map(({ handle }) => handle)],
  }
}

function idOf<T>(
  schema: { safeParse(text: unknown): { success: true; data: T } | { success: false } },
  { params }: HttpRequest,
  text: string,
): T {
  const parsed = schema.safeParse(params.id)
  return parsed.success ? parsed.data : refuse('not_found', text)
}
