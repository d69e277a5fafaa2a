// Cross-origin access for browsers (Fetch standard §3.3). Public documents may be read from everywhere, and the catalog (ARD)
// searched. The OAuth and tRPC endpoints and the
// card of an entitled caller may be called from the configured origins, with a DPoP proof. Credentials of the browser (cookies) are never
// allowed. Everything else is same-origin.

/** A kind of endpoint: the request headers that a page may send, and the response headers that it may read. */
interface CorsRule {
  readonly isPublic?: boolean
  readonly allow: string
  readonly expose: string
}

const PUBLIC: CorsRule = { isPublic: true, allow: 'MCP-Protocol-Version, If-None-Match, A2A-Version', expose: 'ETag' }
const RATE_FIELDS = 'Retry-After, RateLimit, RateLimit-Policy'
const CATALOG: CorsRule = { isPublic: true, allow: 'Content-Type, If-None-Match', expose: `ETag, ${RATE_FIELDS}` }
const OAUTH: CorsRule = {
  allow: 'DPoP, Content-Type, Idempotency-Key',
  expose: `DPoP-Nonce, ${RATE_FIELDS}`,
}
const REGISTRATION: CorsRule = { allow: 'Authorization, Content-Type', expose: `WWW-Authenticate, ${RATE_FIELDS}` }
const API: CorsRule = { allow: `${OAUTH.allow}, Authorization, traceparent, trpc-accept`, expose: `${OAUTH.expose}, WWW-Authenticate` }

/** The first pattern that matches a path decides. */
const RULES: readonly (readonly [RegExp, CorsRule])[] = [
  [/^\/oauth\/(token|revoke|introspect|device_authorization)$/, OAUTH],
  [/^\/oauth\/register(\/[^/]+)?$/, REGISTRATION],
  [/^\/(search|explore|agents|agents\/[^/]+)$/, CATALOG],
  [/^\/trpc\/|^\/agents\/[^/]+\/card$/, API],
  [/^\/\.well-known\/|^\/agents\/[^/]+\/(\.well-known\/agent-card\.json|jwks\.json)?$|^\/log\/|^\/vct\//, PUBLIC],
]

/** The CORS headers of a response. Empty for a request without an origin, from an origin that is not configured, or to other paths. */
export function corsHeaders(path: string, origin: string | undefined, origins: readonly string[]): Readonly<Record<string, string>> {
  const rule = ruleOf(path)
  if (!rule) return {}
  if (rule.isPublic) return { 'access-control-allow-origin': '*', 'access-control-expose-headers': rule.expose }
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' }
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': rule.expose, vary: 'Origin' }
}

/** The headers that answer a preflight for `methods`; undefined if the origin may not call the path. */
export function preflightHeaders(
  path: string,
  { origin, origins, methods }: { readonly origin: string; readonly origins: readonly string[]; readonly methods: readonly string[] },
): Readonly<Record<string, string>> | undefined {
  const rule = ruleOf(path)
  const { 'access-control-expose-headers': _, ...headers } = corsHeaders(path, origin, origins)
  if (!rule || headers['access-control-allow-origin'] === undefined) return undefined
  return {
    ...headers,
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': rule.allow,
    'access-control-max-age': '600',
  }
}

const ruleOf = (path: string): CorsRule | undefined => RULES.find(([pattern]) => pattern.test(path))?.[1]
