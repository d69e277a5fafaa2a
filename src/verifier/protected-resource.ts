import { refuse } from '../errors.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { type ResourceMetadata, resourceMetadata, resourceMetadataUrl } from '../protocol/resources/metadata.js'
import type { GuardedRequest } from './guard.js'
import type { Verifier } from './verify-request.js'

interface ProtectedResourceOptions {
  readonly verifier: Pick<Verifier, 'audience' | 'issuer' | 'allowBearer'>
  /** The scopes that clients can request. */
  readonly scopes: readonly string[]
  readonly name?: string
  /** URL of a page for developers. */
  readonly documentation?: string
  /** The id that `resources.register` returned. The registry looks for it as the proof that this server is the resource. */
  readonly resourceId?: string
}

const OPTIONS: OptionNames<ProtectedResourceOptions> = { verifier: true, scopes: true, name: true, documentation: true, resourceId: true }

interface MetadataResponse {
  writeHead(status: number, headers: Record<string, string>): { end(body?: string): unknown }
}

/** The metadata document of a server, and handlers that serve it. */
export interface ProtectedResource {
  /** The path of the document at the server, for routers: `app.get(metadata.path, () => metadata.document)` in Fastify. */
  readonly path: string
  readonly document: ResourceMetadata
  /** Middleware for Express; with node:http: `metadata.middleware(req, res, () => …)`. It answers requests for the document only. */
  middleware(request: GuardedRequest, response: MetadataResponse, next: () => unknown): void
  /** The response to a request for the document, for Hono (`app.get(metadata.path, () => metadata.response())`) and `fetch` handlers. */
  response(): Response
}

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'public, max-age=300',
  // Clients in browsers read it before they have a token
  'access-control-allow-origin': '*',
}

/**
 * Serves the metadata of a server as a protected resource, from which clients learn where to get a token. The guards of this module send the
 * challenges that name it.
 *
 * @see [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728.html)
 */
export function protectedResource(options: ProtectedResourceOptions): ProtectedResource {
  requireOptions('protectedResource', options, OPTIONS)
  const { verifier, scopes, name, documentation, resourceId } = options
  if (verifier?.audience === undefined) refuse('bad_input', 'protectedResource: verifier must be that of createVerifier')
  if (!Array.isArray(scopes) || scopes.length === 0) refuse('bad_input', 'protectedResource: scopes must name at least one scope')
  const { audience: resource, issuer, allowBearer } = verifier
  const document = resourceMetadata({ resource, issuer, scopes, name, documentation, allowBearer, resourceId })
  const { pathname: path } = new URL(resourceMetadataUrl(resource))
  const body = JSON.stringify(document)
  return {
    path,
    document,
    middleware: ({ method, originalUrl, url = '/' }, response, next) => {
      const [asked] = (originalUrl ?? url).split('?')
      if (asked !== path || (method !== 'GET' && method !== 'HEAD')) next()
      else response.writeHead(200, HEADERS).end(method === 'HEAD' ? undefined : body)
    },
    response: () => new Response(body, { headers: HEADERS }),
  }
}
