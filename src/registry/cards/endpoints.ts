import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { matchesEtag, publicDocument } from '../../http/etag.js'
import { type HttpRequest, json, type Route } from '../../http/route.js'
import { downgradeCard, isVersion03 } from '../../protocol/cards/card-downgrade.js'
import { readCard } from '../../protocol/cards/card-model.js'
import { AgentId, audienceOf } from '../../protocol/ids.js'
import { resourceMetadata } from '../../protocol/resources/metadata.js'
import type { Card } from './card-record.js'
import { credentialMetadata } from './credential-metadata/endpoints.js'
import { type GetCardDeps, getCard, requirePublishedCard } from './get.js'
import { textOf } from './view.js'

interface CardEndpointDeps extends GetCardDeps {
  readonly authenticate: (request: HttpRequest) => Promise<Caller | undefined>
}

export const cardEndpoints = (deps: CardEndpointDeps): Route[] => [
  {
    // The redirect is the same for every id
    method: 'GET',
    path: '/agents/:id/',
    endpoint: async ({ path }) => ({ status: 307, headers: { location: `${path}.well-known/agent-card.json` } }),
  },
  {
    method: 'GET',
    path: '/agents/:id/.well-known/agent-card.json',
    variantOf: (request) => (asksFor03(request) ? '0.3' : ''),
    endpoint: async (request) => {
      const { card, dependsOn } = await requirePublishedCard(deps, agentOf(request))
      const body = asksFor03(request) ? cardOf03(card) : card.publicCard
      const headers = {
        etag: `"${body === card.publicCard ? card.publicCardSha256 : digestOfText(body)}"`,
        'last-modified': new Date(card.publishedAt * 1000).toUTCString(),
        'cache-control': 'public, max-age=60',
        vary: 'A2A-Version',
      }
      if (matchesEtag(request, headers.etag)) return { status: 304, headers }
      return {
        status: 200,
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        dependsOn: [...dependsOn, card.versions.connection, card.versions.public],
      }
    },
  },
  {
    method: 'GET',
    path: '/.well-known/oauth-protected-resource/agents/:id',
    endpoint: async (request) => {
      const { card, dependsOn } = await requirePublishedCard(deps, agentOf(request))
      const { issuer } = deps
      const resource = audienceOf(issuer, card.agentId)
      const metadata = resourceMetadata({ resource, issuer, scopes: card.scopes, name: textOf(card).name })
      return {
        ...publicDocument(request, metadata, { maxAge: 300 }),
        dependsOn: [...dependsOn, card.versions.connection, card.versions.public],
      }
    },
  },
  {
    method: 'GET',
    path: '/agents/:id/card',
    endpoint: async (request) => {
      const caller = await deps.authenticate(request)
      return json(
        200,
        await getCard(deps, caller, agentOf(request)),
        caller ? { 'cache-control': 'private, no-store' } : { 'cache-control': 'no-store' },
      )
    },
  },
  {
    method: 'GET',
    path: '/agents/:id/jwks.json',
    endpoint: async (request) => {
      const { card, dependsOn } = await requirePublishedCard(deps, agentOf(request))
      const registeredKey = card.signer && (await deps.registeredKeys.get(card.signer.keyId))
      const keys =
        registeredKey && !deps.trustLog.ended.has(registeredKey.handle)
          ? [{ ...registeredKey.jwk, kid: registeredKey.jkt, alg: registeredKey.alg, use: 'sig' }]
          : []
      return {
        ...json(200, { keys }, { 'cache-control': 'public, max-age=60' }),
        dependsOn: registeredKey ? [...dependsOn, registeredKey.handle] : dependsOn,
      }
    },
  },
  ...credentialMetadata(deps),
]

/** A malformed id gets the same refusal as an unknown one. */
function agentOf({ params }: HttpRequest): AgentId {
  const parsed = AgentId.safeParse(params.id)
  return parsed.success ? parsed.data : refuse('not_found', 'no such card')
}

/** Any other version, and none, gets the card as it was published. */
const asksFor03 = ({ headers }: HttpRequest): boolean => typeof headers['a2a-version'] === 'string' && isVersion03(headers['a2a-version'])

/** The public card in the form of A2A 0.3: as published if it has this form, else translated and without signatures. */
function cardOf03({ publicCard }: Pick<Card, 'publicCard'>): string {
  const { version, model } = readCard(publicCard)
  return version === '0.3' || model === undefined ? publicCard : JSON.stringify(downgradeCard(model))
}
