import { z } from 'zod'
import { assertClient, proveDpop, type Signer } from '../credentials/jose/sign.js'
import { type AccessRequest, CredenceError } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import type { Random } from '../lib/random.js'
import { TOKEN_EXCHANGE } from '../protocol/grant-types.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { type Approval, requireApproved } from './approvals/approval.js'
import { errorOf, type HttpDeps, parseResponse, requestJson, withOneRetry } from './http.js'
import type { RegistryMetadata } from './registry.js'

/** Keeps the root token of a client that runs for a short time only. The token is useless without the key of the client. */
export interface TokenStore {
  load(): AccessToken | undefined
  save(token: AccessToken): void
}

export interface TokenDeps extends HttpDeps {
  readonly tokenStore?: TokenStore | undefined
  readonly issuer: string
  readonly clientId: string
  readonly agentId?: string | undefined
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
  readonly metadata: () => Promise<RegistryMetadata>
}

export interface AccessToken {
  readonly accessToken: string
  readonly scope: string
  /** Epoch seconds of this client's clock. */
  readonly expiresAt: number
  /** The number of calls that the audience accepts with the token, if it is limited. */
  readonly maxCalls?: number
}

const TokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('DPoP'),
  expires_in: z.number(),
  scope: z.string(),
  max_calls: z.number().optional(),
})
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
/** The key of the root token that has all scopes and rights of its client. */
const UNBOUNDED = JSON.stringify({})
/** A token is replaced this long before it expires. */
const EARLY_SECONDS = 30

export interface ExchangeOptions {
  /** The audience URI of the peer. */
  readonly audience: string
  /** Space-separated scopes. Default: all that are granted. */
  readonly scope?: string
  readonly taskId?: string
  /** A token that this agent received and may exchange. Default: its own root token. */
  readonly subjectToken?: string
  readonly actorToken?: string
  readonly delegation?: { readonly depth: number; readonly rights: readonly { readonly audience: string; readonly scope: string }[] }
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  /** The request is refused unless the token allows all of these. */
  readonly requiredTools?: readonly string[]
  readonly requiredResources?: readonly string[]
  /** Lifetime, if it is to be shorter than the default. */
  readonly seconds?: number
  /** The number of calls, 1 to 1000, that the audience accepts with the token. Default: no limit; under a budget 25, a quarter of the budget or what is left. */
  readonly maxCalls?: number
  /** An approval that was given for exactly this request. It is good for one token. */
  readonly approvalId?: string
  /**
   * Called if the token needs an approval, for example `(access) => agent.approvals.obtain(access, { purpose })`. The request is then repeated with what the
   * returned approval allows, which may be less. Default: the request fails with `approval_required`.
   */
  readonly onApprovalRequired?: (accessRequest: AccessRequest) => Promise<Approval>
}

export const EXCHANGE_OPTIONS: OptionNames<ExchangeOptions> = {
  audience: true,
  scope: true,
  taskId: true,
  subjectToken: true,
  actorToken: true,
  delegation: true,
  tools: true,
  resources: true,
  requiredTools: true,
  requiredResources: true,
  seconds: true,
  maxCalls: true,
  approvalId: true,
  onApprovalRequired: true,
}

/** Bounds of a root token besides its scopes. */
export interface RootOptions {
  /** The most that the token may be exchanged for. Default: everything that the client may have. */
  readonly exchangeRights?: readonly { readonly audience: string; readonly scope: string }[]
}

const ROOT_OPTIONS: OptionNames<RootOptions> = { exchangeRights: true }

export interface Tokens {
  /**
   * Returns a root token with these scopes (default: all). It is cached until EARLY_SECONDS before it expires. Without the scope
   * `tokens:exchange` it cannot be exchanged.
   */
  root(scopes?: readonly string[], options?: RootOptions): Promise<AccessToken>
  exchange(options: ExchangeOptions): Promise<AccessToken>
  /** Posts a form with a client assertion to an OAuth endpoint. */
  post(endpoint: 'introspection_endpoint' | 'revocation_endpoint', parameters: Readonly<Record<string, string>>): Promise<JsonObject>
  /** Discards the cached root tokens, because the registry has refused one of them. */
  discardRootTokens(): void
}

/** The OAuth client: `private_key_jwt`, and DPoP with server nonces. */
export function newTokens(deps: TokenDeps): Tokens {
  const { clock, issuer, clientId, agentId } = deps
  const roots = new Map<string, AccessToken>()
  const stored = deps.tokenStore?.load()
  if (stored) roots.set(UNBOUNDED, stored)
  let nonce: string | undefined

  const form = async (parameters: Readonly<Record<string, string>>) =>
    new URLSearchParams({
      ...parameters,
      ...(agentId !== undefined && { agent_id: agentId }),
      client_assertion_type: JWT_BEARER,
      client_assertion: await assertClient(deps, { clientId, issuer }),
    })

  /** An assertion and a proof may be used once, so each attempt creates new ones. */
  const requestTokenOnce = async (parameters: Readonly<Record<string, string>>): Promise<AccessToken> => {
    const { token_endpoint: url } = await deps.metadata()
    const proof = await proveDpop(deps, { htm: 'POST', htu: url, ...(nonce !== undefined && { nonce }) })
    const sentAt = clock.now()
    const { response, body } = await requestJson(deps, url, { method: 'POST', headers: { dpop: proof }, body: await form(parameters) })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    if (!response.ok) throw errorOf(response, body)
    const token = parseResponse(TokenResponse, body, `the response of ${url}`)
    const { access_token: accessToken, scope, expires_in: expiresIn, max_calls: maxCalls } = token
    return { accessToken, scope, expiresAt: sentAt + expiresIn, ...(maxCalls !== undefined && { maxCalls }) }
  }
  const requestToken = (parameters: Readonly<Record<string, string>>): Promise<AccessToken> =>
    withOneRetry(
      deps,
      async () => {
        try {
          return await requestTokenOnce(parameters)
        } catch (error) {
          // RFC 9449 §8: retry with the nonce of the error response.
          if (error instanceof CredenceError && error.reason === 'use_dpop_nonce') return requestTokenOnce(parameters)
          throw error
        }
      },
      { mayRepeat: true },
    )
  const root = async (scopes: readonly string[] = [], options: RootOptions = {}): Promise<AccessToken> => {
    requireOptions('token', options, ROOT_OPTIONS)
    const { exchangeRights } = options
    const scope = [...scopes].sort().join(' ')
    const parameters = { ...(scope !== '' && { scope }), ...(exchangeRights && { exchange_rights: JSON.stringify(exchangeRights) }) }
    const key = JSON.stringify(parameters)
    const cached = roots.get(key)
    if (cached && cached.expiresAt - EARLY_SECONDS > clock.now()) return cached
    const token = await requestToken({ grant_type: 'client_credentials', ...parameters })
    roots.set(key, token)
    if (key === UNBOUNDED) deps.tokenStore?.save(token)
    return token
  }
  const exchange = (subjectToken: string, request: Omit<ExchangeOptions, 'subjectToken'>): Promise<AccessToken> => {
    const {
      approvalId,
      audience,
      scope,
      taskId,
      actorToken,
      delegation,
      tools,
      resources,
      requiredTools,
      requiredResources,
      seconds,
      maxCalls,
    } = request
    return requestToken({
      grant_type: TOKEN_EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      audience,
      ...(scope !== undefined && { scope }),
      ...(taskId !== undefined && { task_id: taskId }),
      ...(actorToken !== undefined && { actor_token: actorToken, actor_token_type: ACCESS_TOKEN_TYPE }),
      ...(delegation && { delegation: JSON.stringify(delegation) }),
      ...(tools && { allowed_tools: JSON.stringify(tools) }),
      ...(resources && { allowed_resources: JSON.stringify(resources) }),
      ...(requiredTools && { required_tools: JSON.stringify(requiredTools) }),
      ...(requiredResources && { required_resources: JSON.stringify(requiredResources) }),
      ...(seconds !== undefined && { expires_in: String(seconds) }),
      ...(maxCalls !== undefined && { max_calls: String(maxCalls) }),
      ...(approvalId !== undefined && { approval_id: approvalId }),
    })
  }
  /** Exchanges the given subject token, or a root token of this client. */
  const exchangeFrom = async (request: ExchangeOptions): Promise<AccessToken> => {
    if (request.subjectToken !== undefined) return exchange(request.subjectToken, request)
    const { accessToken } = await root()
    try {
      return await exchange(accessToken, request)
    } catch (error) {
      // The root token may depend on something that was revoked, such as a signing key of the registry: retry with a new one.
      if (!(error instanceof CredenceError) || error.reason !== 'invalid_request') throw error
      roots.clear()
      return exchange((await root()).accessToken, request)
    }
  }

  return {
    root,
    exchange: async (options) => {
      requireOptions('exchange', options, EXCHANGE_OPTIONS)
      const { onApprovalRequired, ...request } = options
      try {
        return await exchangeFrom(request)
      } catch (error) {
        if (!(error instanceof CredenceError) || error.accessRequest === undefined || !onApprovalRequired) throw error
        const approval = await onApprovalRequired(error.accessRequest)
        const { scopes, tools, resources, delegation } = requireApproved(approval, error)
        const { delegation: _, ...rest } = request
        return exchangeFrom({
          ...rest,
          scope: scopes.join(' '),
          ...(tools && { tools }),
          ...(resources && { resources }),
          ...(delegation && { delegation }),
          approvalId: approval.approvalId,
        })
      }
    },
    post: (endpoint, parameters) =>
      withOneRetry(
        deps,
        async () => {
          const { [endpoint]: url } = await deps.metadata()
          const { response, body } = await requestJson(deps, url, { method: 'POST', body: await form(parameters) })
          if (!response.ok) throw errorOf(response, body)
          return body
        },
        { mayRepeat: true },
      ),
    discardRootTokens: () => roots.clear(),
  }
}
