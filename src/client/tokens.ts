import { z } from 'zod'
import { assertClient, proveDpop, type Signer } from '../credentials/jose/sign.js'
import type { Clock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import type { Random } from '../lib/random.js'
import { CredenceError } from './errors.js'
import { errorOf, type HttpDeps, requestJson, withOneRetry } from './http.js'
import type { RegistryMetadata } from './registry.js'

export interface TokenDeps extends HttpDeps {
  readonly issuer: string
  readonly clientId: string
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
  readonly metadata: () => Promise<RegistryMetadata>
}

export interface AccessToken {
  readonly accessToken: string
  readonly scope: string
  /** Epoch seconds by this client's clock. */
  readonly expiresAt: number
}

const TokenAnswer = z.object({ access_token: z.string(), token_type: z.literal('DPoP'), expires_in: z.number(), scope: z.string() })
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
/** A token is not used in its last seconds. */
const EARLY_SECONDS = 30

export interface ExchangeOptions {
  /** The peer: its audience URI. */
  readonly audience: string
  /** Space-separated; absent: all that is granted. */
  readonly scope?: string
  readonly taskId?: string
  /** A token that was given to this agent with the right to pass on; absent: its own root token. */
  readonly subjectToken?: string
  readonly actorToken?: string
  readonly delegation?: { readonly depth: number; readonly rights: readonly { readonly audience: string; readonly scope: string }[] }
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
}

export interface Tokens {
  /** A root token with these scopes (all, where none is named), fresh or from memory. */
  root(scopes?: readonly string[]): Promise<AccessToken>
  exchange(options: ExchangeOptions): Promise<AccessToken>
  /** A form to an OAuth endpoint under a client assertion. */
  post(endpoint: 'introspection_endpoint' | 'revocation_endpoint', parameters: Readonly<Record<string, string>>): Promise<JsonObject>
  /** Forgets what it has: the registry has refused one. */
  forget(): void
}

/** OAuth of one client: `private_key_jwt`, DPoP with server nonces, no secrets. */
export function newTokens(deps: TokenDeps): Tokens {
  const { clock, issuer, clientId } = deps
  const roots = new Map<string, AccessToken>()
  let nonce: string | undefined

  const form = async (parameters: Readonly<Record<string, string>>) =>
    new URLSearchParams({
      ...parameters,
      client_assertion_type: JWT_BEARER,
      client_assertion: await assertClient(deps, { clientId, issuer }),
    })

  /** An assertion and a proof are used once, so each try makes its own. */
  const tryToken = async (parameters: Readonly<Record<string, string>>): Promise<AccessToken> => {
    const { token_endpoint: url } = await deps.metadata()
    const proof = await proveDpop(deps, { htm: 'POST', htu: url, ...(nonce !== undefined && { nonce }) })
    const asked = clock.now()
    const { answer, body } = await requestJson(deps, url, { method: 'POST', headers: { dpop: proof }, body: await form(parameters) })
    nonce = answer.headers.get('dpop-nonce') ?? nonce
    if (!answer.ok) throw errorOf(answer, body)
    const token = TokenAnswer.parse(body)
    return { accessToken: token.access_token, scope: token.scope, expiresAt: asked + token.expires_in }
  }
  const requestToken = (parameters: Readonly<Record<string, string>>): Promise<AccessToken> =>
    withOneRetry(
      deps,
      async () => {
        try {
          return await tryToken(parameters)
        } catch (error) {
          // RFC 9449 §8: once more, with the nonce that came with the refusal.
          if (error instanceof CredenceError && error.reason === 'use_dpop_nonce') return tryToken(parameters)
          throw error
        }
      },
      { mayRepeat: true },
    )
  const root = async (scopes: readonly string[] = []): Promise<AccessToken> => {
    const scope = [...scopes].sort().join(' ')
    const known = roots.get(scope)
    if (known && known.expiresAt - EARLY_SECONDS > clock.now()) return known
    const token = await requestToken({ grant_type: 'client_credentials', ...(scope !== '' && { scope }) })
    roots.set(scope, token)
    return token
  }
  const exchange = (subjectToken: string, asked: Omit<ExchangeOptions, 'subjectToken'>): Promise<AccessToken> => {
    const { audience, scope, taskId, actorToken, delegation, tools, resources } = asked
    return requestToken({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      audience,
      ...(scope !== undefined && { scope }),
      ...(taskId !== undefined && { task_id: taskId }),
      ...(actorToken !== undefined && { actor_token: actorToken, actor_token_type: ACCESS_TOKEN_TYPE }),
      ...(delegation && { delegation: JSON.stringify(delegation) }),
      ...(tools && { allowed_tools: JSON.stringify(tools) }),
      ...(resources && { allowed_resources: JSON.stringify(resources) }),
    })
  }

  return {
    root,
    exchange: async ({ subjectToken, ...asked }) => {
      if (subjectToken !== undefined) return exchange(subjectToken, asked)
      const { accessToken } = await root()
      try {
        return await exchange(accessToken, asked)
      } catch (error) {
        // The root token may have ended with what it stood on (a key of the registry): a new one is had, and asked with once.
        if (!(error instanceof CredenceError) || error.reason !== 'invalid_request') throw error
        roots.clear()
        return exchange((await root()).accessToken, asked)
      }
    },
    post: (endpoint, parameters) =>
      withOneRetry(
        deps,
        async () => {
          const { [endpoint]: url } = await deps.metadata()
          const { answer, body } = await requestJson(deps, url, { method: 'POST', body: await form(parameters) })
          if (!answer.ok) throw errorOf(answer, body)
          return body
        },
        { mayRepeat: true },
      ),
    forget: () => roots.clear(),
  }
}
