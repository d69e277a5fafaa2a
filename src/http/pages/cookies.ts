import { parseCookie, stringifySetCookie } from 'cookie'
import type { HttpRequest } from '../route.js'

/** A cookie of the pages. Over http, in development mode, it has no prefix and no `Secure`, without which `__Host-` is not allowed. */
interface PageCookie {
  read(request: Pick<HttpRequest, 'headers'>): string | undefined
  /** A value of `Set-Cookie`. */
  set(value: string, maxAgeSeconds: number): string
  /** A value of `Set-Cookie` that removes the cookie. */
  clear(): string
}

/**
 * `SameSite=Lax`, because a client sends the browser here by a link. A page of another site cannot read the cookie, nor send it with a
 * POST.
 *
 * @see [RFC 6265bis §4.1.3.2](https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3.2) `__Host-`
 */
function pageCookie(issuer: string, purpose: string): PageCookie {
  const secure = issuer.startsWith('https://')
  const name = `${secure ? '__Host-credence' : 'credence-dev'}${purpose}`
  const options = { httpOnly: true, sameSite: 'lax', path: '/', secure } as const
  return {
    read: ({ headers }) => (typeof headers.cookie === 'string' ? parseCookie(headers.cookie)[name] : undefined),
    set: (value, maxAge) => stringifySetCookie({ name, value, maxAge, ...options }),
    clear: () => stringifySetCookie({ name, value: '', maxAge: 0, ...options }),
  }
}

/** Carries a session. */
export const sessionCookie = (issuer: string): PageCookie => pageCookie(issuer, '')
/** Carries a sign-in that is not complete. */
export const signInCookie = (issuer: string): PageCookie => pageCookie(issuer, '-pre')
