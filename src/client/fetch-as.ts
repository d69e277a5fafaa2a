import { proveDpop } from '../credentials/jose/sign.js'
import { CredenceError } from '../errors.js'
import { coveredBySome, parseScope, type Scope } from '../protocol/rights.js'
import type { Fetch } from './http.js'
import type { AccessToken, TokenDeps } from './tokens.js'

/** A token is replaced this long before it expires. */
const EARLY_SECONDS = 5
/** Longest wait before a retry; a longer Retry-After is shortened to this. */
const MAX_RETRY_SECONDS = 5

interface Attempt {
  readonly response: Response
  readonly accessToken: string
  readonly scope: string
}

/**
 * Makes a `fetch` for one peer. Each request carries the token and a new proof; the token is replaced before it expires. A request is
 * sent once more if the peer requires a nonce (RFC 9449 §8), after a 503 with Retry-After, or with a new token if the peer rejects the token
 * (RFC 6750 §3.1) or its calls are used up. If the peer then responds that the token lacks scopes, a token with these is requested; if the
 * registry issues it, the request is sent again with it. Later tokens have these scopes too, as long as the registry issues them. If the budget
 * has no room for a token, or a token needs an approval and there is no `onApprovalRequired`, the request throws the refusal of the registry.
 */
export function newFetchAs(deps: TokenDeps, exchange: (scope?: string) => Promise<AccessToken>): Fetch {
  let token: Promise<AccessToken> | undefined
  /** The key that the token is bound to. The client may have replaced its key since. */
  let tokenJwk: object | undefined
  let nonce: string | undefined
  /** The scopes that a step-up obtained. */
  let widerScope: string | undefined
  const exchangeAgain = async (): Promise<AccessToken> => {
    if (widerScope === undefined) return exchange()
    try {
      return await exchange(widerScope)
    } catch (error) {
      if (!(error instanceof CredenceError) || error.status !== 400) throw error
      // The registry refuses the wider token now. The request may need no more than the first token had.
      widerScope = undefined
      return exchange()
    }
  }
  const current = async (): Promise<AccessToken> => {
    const before = token
    const cached = await before?.catch(() => undefined)
    const isBound = tokenJwk === deps.signer.publicJwk
    if (cached && isBound && cached.expiresAt - EARLY_SECONDS > deps.clock.now()) return cached
    // Several requests at once share one exchange: a second one would take calls of a budget
    if (token !== before && token) return token
    tokenJwk = deps.signer.publicJwk
    token = exchangeAgain()
    return token
  }
  const send = async (input: Parameters<Fetch>[0], init: RequestInit): Promise<Attempt> => {
    const { accessToken, scope } = await current()
    const url = input instanceof Request ? input.url : String(input)
    const method = (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
    const proof = await proveDpop(deps, { htm: method, htu: url, accessToken, ...(nonce !== undefined && { nonce }) })
    const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set('authorization', `DPoP ${accessToken}`)
    headers.set('dpop', proof)
    const response = await deps.fetch(input instanceof Request ? input.clone() : input, { redirect: 'error', ...init, headers })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    return { response, accessToken, scope }
  }
  /** True if a second attempt may have another outcome. Obtains the new token, or waits as long as the peer asks. */
  const mayRetry = async ({ response: { status, headers }, accessToken }: Attempt): Promise<boolean> => {
    const challenge = headers.get('www-authenticate') ?? ''
    const isRejected = status === 401 && /error="?invalid_token\b/.test(challenge)
    const isUsedUp = status === 403 && /error="?insufficient_budget\b/.test(challenge)
    if (isRejected || isUsedUp) {
      // If several requests are refused at the same time, only the first one replaces the token.
      const cached = await token?.catch(() => undefined)
      if (cached?.accessToken === accessToken) token = undefined
      return current().then(() => true, falseUnlessForCaller)
    }
    if (status === 401) return headers.has('dpop-nonce')
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
    if (status !== 503 || !Number.isFinite(retryAfter)) return false
    await deps.clock.after(Math.min(retryAfter, MAX_RETRY_SECONDS) * 1000)
    return true
  }
  /** When several requests lack scopes at the same time, the later ones see what the earlier ones have obtained. */
  let stepUps: Promise<unknown> = Promise.resolve()
  const obtain = (needed: readonly Scope[]): Promise<boolean> => {
    const obtained = stepUps.then(async () => {
      const { scope } = await current()
      const held = parseScope(scope) ?? []
      if (needed.every((one) => coveredBySome(held, one))) return true
      const wider = await exchange([...new Set([...held, ...needed])].sort().join(' '))
      token = Promise.resolve(wider)
      widerScope = wider.scope
      return true
    })
    stepUps = obtained.catch(() => false)
    return obtained.catch(falseUnlessForCaller)
  }
  /** True if the peer named scopes that the token lacks, and there is a token with them now. */
  const mayStepUp = async ({ response: { status, headers }, scope }: Attempt): Promise<boolean> => {
    const needed = status === 403 ? neededScopes(headers.get('www-authenticate') ?? '') : []
    const held = parseScope(scope) ?? []
    return !needed.every((one) => coveredBySome(held, one)) && obtain(needed)
  }
  return async (input, init = {}) => {
    let attempt = await send(input, init)
    for (const mayRepeat of [mayRetry, mayStepUp]) {
      const { body } = attempt.response
      const isRepeated = await mayRepeat(attempt).catch(async (error: unknown) => {
        await body?.cancel()
        throw error
      })
      if (!isRepeated) continue
      await body?.cancel()
      attempt = await send(input, init)
    }
    return attempt.response
  }
}

/** The response of the peer does not say that an approval is needed, or that a budget is used up: the caller gets these refusals of the registry. */
function falseUnlessForCaller(error: unknown): false {
  if (error instanceof CredenceError && (error.accessRequest !== undefined || error.reason === 'insufficient_budget')) throw error
  return false
}

/** The scopes of a challenge that says that the token lacks some (RFC 6750 §3.1). */
function neededScopes(challenge: string): readonly Scope[] {
  if (!/error="?insufficient_scope\b/.test(challenge)) return []
  const [, scope = ''] = /\bscope="([^"]*)"/.exec(challenge) ?? []
  return parseScope(scope) ?? []
}
