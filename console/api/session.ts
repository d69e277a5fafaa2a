import { z } from 'zod'
import { type Calls, newCalls } from '../../src/client/call.js'
import { errorOf, parseResponse, requestJson, withOneRetry } from '../../src/client/http.js'
import type { AccessToken } from '../../src/client/tokens.js'
import { newPageSigner, proveDpop } from '../../src/credentials/jose/sign.js'
import { CredenceError } from '../../src/errors.js'
import { clientClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Viewer } from './viewer.js'

const TokenResponse = z.object({ access_token: z.string(), expires_in: z.number(), scope: z.string() })
/** A token is replaced this long before it expires. */
const EARLY_SECONDS = 60

/**
 * Calls procedures with a root token of the session. The token and its key, which no script can read, stay in the memory of the page: a reload makes new
 * ones (RFC 9449 §5). `onEnded` is called when the registry refuses a token, because the session has ended.
 */
export async function openSession({ id, issuer }: Pick<Viewer, 'id' | 'issuer'>, onEnded: () => void): Promise<Calls> {
  const signer = await newPageSigner()
  const csrfToken = document.querySelector<HTMLMetaElement>('meta[name=csrf-token]')?.content ?? ''
  const deps = { issuer, clientId: id, signer, clock: clientClock, random: systemRandom, fetch: globalThis.fetch.bind(globalThis) }
  const url = `${issuer}/session/token`
  let nonce: string | undefined
  let cached: AccessToken | undefined
  let requesting: Promise<AccessToken> | undefined

  const requestOnce = async (): Promise<AccessToken> => {
    const proof = await proveDpop(deps, { htm: 'POST', htu: url, ...(nonce !== undefined && { nonce }) })
    const sentAt = clientClock.now()
    const { response, body } = await requestJson(deps, url, { method: 'POST', headers: { dpop: proof, 'x-csrf-token': csrfToken } })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    if (!response.ok) {
      const error = errorOf(response, body)
      if (error.reason === 'login_required') onEnded()
      throw error
    }
    const token = parseResponse(TokenResponse, body, 'the token of the session')
    return { accessToken: token.access_token, scope: token.scope, expiresAt: sentAt + token.expires_in }
  }
  const request = (): Promise<AccessToken> =>
    withOneRetry(
      deps,
      () =>
        requestOnce().catch((error: unknown) => {
          if (error instanceof CredenceError && error.reason === 'use_dpop_nonce') return requestOnce()
          throw error
        }),
      { mayRepeat: true },
    )
  const root = async (): Promise<AccessToken> => {
    if (cached && cached.expiresAt - EARLY_SECONDS > clientClock.now()) return cached
    // Calls that begin together share one request
    requesting ??= request()
      .then((token) => {
        cached = token
        return token
      })
      .finally(() => {
        requesting = undefined
      })
    return requesting
  }
  return newCalls(deps, {
    root,
    discardRootTokens: () => {
      cached = undefined
    },
  })
}
