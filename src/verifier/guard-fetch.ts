import { type Admitted, admit, type RequestVerifier } from './admit.js'
import type { RefusalResponse } from './refusal-response.js'
import type { Needs, Verified } from './verify-request.js'

/**
 * Wraps the `fetch` handler of Deno, Bun or Cloudflare Workers: `Deno.serve(guardFetch(verifier, needs, handler))`,
 * `export default { fetch: guardFetch(…) }`. The guard does not read the body.
 */
export function guardFetch<Rest extends readonly unknown[]>(
  verifier: RequestVerifier,
  needs: Needs,
  handler: (request: Request, credence: Verified, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const { verified, response } = await admitFetch(verifier, request, needs)
    return response ? fetchResponse(response) : handler(request, verified, ...rest)
  }
}

/** The members of Hono's context that the guard uses. On Node, `env` has the connection (`@hono/node-server`). */
interface HonoContextShape {
  readonly req: { readonly raw: Request }
  readonly env: unknown
  set(name: 'credence', value: Verified): void
}

/** Hono middleware. Handlers read the verified request with `c.get('credence')`. */
export function guardHono(
  verifier: RequestVerifier,
  needs: Needs = {},
): (context: HonoContextShape, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (context, next) => {
    const { incoming } = (context.env ?? {}) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } } // absent outside Node
    const { verified, response } = await admitFetch(verifier, context.req.raw, needs, incoming?.socket?.remoteAddress)
    if (response) return fetchResponse(response)
    context.set('credence', verified)
    await next()
    return undefined
  }
}

function admitFetch(verifier: RequestVerifier, { method, url, headers }: Request, needs: Needs, peer?: string): Promise<Admitted> {
  // The caller chooses the host of this URL with a header, so only path and query are used.
  const { pathname, search } = new URL(url)
  return admit(verifier, { method, url: pathname + search, headers: Object.fromEntries(headers), peer }, needs)
}

const fetchResponse = ({ status, headers, body }: RefusalResponse): Response => new Response(body, { status, headers })
