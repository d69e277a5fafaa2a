import { proveDpop } from '../credentials/jose/sign.js'
import type { Fetch } from './http.js'
import type { AccessToken, TokenDeps } from './tokens.js'

const EARLY_SECONDS = 5
const MAX_RETRY_SECONDS = 5

interface Sent {
  readonly answer: Response
  readonly accessToken: string
}

/**
 * A `fetch` that calls one peer: each request carries the token and a proof of its own; a new token is had before the old one expires. Once more
 * where the peer wants a nonce (RFC 9449 §8), finds the token dead while another can be had (RFC 6750 §3.1), or does not know now (503 with
 * Retry-After).
 */
export function newFetchAs(deps: TokenDeps, exchange: () => Promise<AccessToken>): Fetch {
  let token: Promise<AccessToken> | undefined
  let nonce: string | undefined
  const current = async (): Promise<AccessToken> => {
    const known = await token?.catch(() => undefined)
    if (known && known.expiresAt - EARLY_SECONDS > deps.clock.now()) return known
    token = exchange()
    return token
  }
  const send = async (input: Parameters<Fetch>[0], init: RequestInit): Promise<Sent> => {
    const { accessToken } = await current()
    const url = input instanceof Request ? input.url : String(input)
    const method = (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
    const proof = await proveDpop(deps, { htm: method, htu: url, accessToken, ...(nonce !== undefined && { nonce }) })
    const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set('authorization', `DPoP ${accessToken}`)
    headers.set('dpop', proof)
    const answer = await deps.fetch(input instanceof Request ? input.clone() : input, { redirect: 'error', ...init, headers })
    nonce = answer.headers.get('dpop-nonce') ?? nonce
    return { answer, accessToken }
  }
  /** Whether the same request may be answered otherwise now. */
  const isWorthAnother = async ({ answer: { status, headers }, accessToken }: Sent): Promise<boolean> => {
    if (status === 401 && /error="?invalid_token\b/.test(headers.get('www-authenticate') ?? '')) {
      // Of many that find it dead at once one asks for another
      const known = await token?.catch(() => undefined)
      if (known?.accessToken === accessToken) token = undefined
      return current().then(
        () => true,
        () => false,
      )
    }
    if (status === 401) return headers.has('dpop-nonce')
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
    if (status !== 503 || !Number.isFinite(retryAfter)) return false
    await deps.clock.after(Math.min(retryAfter, MAX_RETRY_SECONDS) * 1000)
    return true
  }
  return async (input, init = {}) => {
    const sent = await send(input, init)
    if (!(await isWorthAnother(sent))) return sent.answer
    await sent.answer.body?.cancel()
    return (await send(input, init)).answer
  }
}
