import { proveDpop } from '../credentials/jose/sign.js'
import { CredenceError } from '../errors.js'
import { isJsonObject } from '../lib/json.js'
import { errorOf, type HttpDeps, requestJson, withOneRetry } from './http.js'
import type { TokenDeps, Tokens } from './tokens.js'

export interface Calls {
  /** Calls a tRPC query by its path, such as `cards.get`. */
  query<T = unknown>(path: string, input?: object): Promise<T>
  /** Calls a tRPC mutation by its path. */
  mutate<T = unknown>(path: string, input?: object): Promise<T>
}

/** Calls tRPC procedures with a root token and a new proof for each call. */
export function newCalls(
  deps: HttpDeps & Pick<TokenDeps, 'issuer' | 'signer' | 'clock' | 'random'>,
  tokens: Pick<Tokens, 'root' | 'discardRootTokens'>,
): Calls {
  const callOnce = async <T>(method: 'GET' | 'POST', path: string, input: object): Promise<T> => {
    const url = `${deps.issuer}/trpc/${path}`
    const { accessToken } = await tokens.root()
    const proof = await proveDpop(deps, { htm: method, htu: url, accessToken })
    const headers = { authorization: `DPoP ${accessToken}`, dpop: proof, 'content-type': 'application/json' }
    const target = method === 'GET' ? `${url}?input=${encodeURIComponent(JSON.stringify(input))}` : url
    const init = { method, headers, ...(method === 'POST' && { body: JSON.stringify(input) }) }
    const { response, body } = await requestJson(deps, target, init)
    const { result } = body
    if (!response.ok || !isJsonObject(result)) throw errorOf(response, body)
    return result.data as T // the caller names the type of the procedure's output
  }
  const call = <T>(method: 'GET' | 'POST', path: string, input: object): Promise<T> =>
    withOneRetry(
      deps,
      async () => {
        try {
          return await callOnce<T>(method, path, input)
        } catch (error) {
          // A changed ceiling or a revoked signing key ends the root token, but a new root token can be issued.
          if (!(error instanceof CredenceError) || error.reason !== 'invalid_token') throw error
          tokens.discardRootTokens()
          return callOnce<T>(method, path, input)
        }
      },
      // RFC 9110 §9.2.2: a mutation without a response may have taken effect, so it is not repeated.
      { mayRepeat: method === 'GET' },
    )
  return {
    query: (path, input = {}) => call('GET', path, input),
    mutate: (path, input = {}) => call('POST', path, input),
  }
}
