import { proveDpop } from '../credentials/jose/sign.js'
import { isJsonObject } from '../lib/json.js'
import { CredenceError } from './errors.js'
import { errorOf, requestJson, withOneRetry } from './http.js'
import type { TokenDeps, Tokens } from './tokens.js'

export interface Calls {
  /** A tRPC query by its path, such as `cards.get`. */
  query<T = unknown>(path: string, input?: object): Promise<T>
  /** A tRPC mutation by its path. */
  mutate<T = unknown>(path: string, input?: object): Promise<T>
}

/** tRPC procedures under a root token, each call with its own proof. */
export function newCalls(deps: TokenDeps, tokens: Tokens): Calls {
  const once = async <T>(method: 'GET' | 'POST', path: string, input: object): Promise<T> => {
    const url = `${deps.issuer}/trpc/${path}`
    const { accessToken } = await tokens.root()
    const proof = await proveDpop(deps, { htm: method, htu: url, accessToken })
    const headers = { authorization: `DPoP ${accessToken}`, dpop: proof, 'content-type': 'application/json' }
    const target = method === 'GET' ? `${url}?input=${encodeURIComponent(JSON.stringify(input))}` : url
    const { answer, body } = await requestJson(deps, target, { method, headers, ...(method === 'POST' && { body: JSON.stringify(input) }) })
    const { result } = body
    if (!answer.ok || !isJsonObject(result)) throw errorOf(answer, body)
    return result.data as T // the procedure's output, whose type its caller names
  }
  const call = <T>(method: 'GET' | 'POST', path: string, input: object): Promise<T> =>
    withOneRetry(
      deps,
      async () => {
        try {
          return await once<T>(method, path, input)
        } catch (error) {
          // The root token may have ended with a version that it stood on (a changed ceiling): a new one is decided anew.
          if (!(error instanceof CredenceError) || error.reason !== 'invalid_token') throw error
          tokens.forget()
          return once<T>(method, path, input)
        }
      },
      // RFC 9110 §9.2.2: whether a change was made is for the caller to find out
      { mayRepeat: method === 'GET' },
    )
  return {
    query: (path, input = {}) => call('GET', path, input),
    mutate: (path, input = {}) => call('POST', path, input),
  }
}
