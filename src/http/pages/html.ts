import type { HttpResponse } from '../route.js'

/**
 * An HTML response with the security headers of every page. `formAction` lists further origins to which its forms may lead: browsers apply
 * `form-action` to redirects, too.
 *
 * A page cannot be framed, runs only scripts of this registry, which make no markup from text (Trusted Types), and is not cached. `Referrer-Policy: no-referrer` would make browsers send
 * `Origin: null` with a form. There is no Cross-Origin-Opener-Policy, because OAuth clients open the registry in popups.
 */
export const html = (
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
  formAction: readonly string[] = [],
): HttpResponse => ({
  status,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      "style-src 'self'",
      "script-src 'self'",
      "connect-src 'self'",
      "img-src 'self'",
      ["form-action 'self'", ...formAction].join(' '),
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ].join('; '),
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    ...headers,
  },
  body: text,
})

/** After a POST: the browser gets `location`. A reload does not send the form again. */
export const seeOther = (location: string, cookies: readonly string[] = []): HttpResponse => ({
  status: 303,
  headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'same-origin' },
  cookies,
})
