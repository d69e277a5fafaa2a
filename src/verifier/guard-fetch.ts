import { type Admitted, admit, type RequestVerifier } from './admit.js'
import { type GuardNeeds, type Needs, parseNeeds } from './needs.js'
import { cutWhenInvalid, endWhenInvalid, type OpenResponse } from './open-response.js'
import type { RefusalResponse } from './refusal-response.js'
import type { Verified } from './verify-request.js'

/**
 * Wraps the `fetch` handler of Deno, Bun or Cloudflare Workers: `Deno.serve(guardFetch(verifier, needs, handler))`,
 * `export default { fetch: guardFetch(…) }`. The body of a response that is still open when the token is no longer valid ends with an error. The
 * guard does not read the body of the request.
 */
export function guardFetch<Rest extends readonly unknown[]>(
  verifier: RequestVerifier,
  guardNeeds: GuardNeeds,
  handler: (request: Request, credence: Verified, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const needs = parseNeeds(guardNeeds, 'guardFetch')
  return async (request, ...rest) => {
    const { verified, response } = await admitFetch(verifier, request, needs)
    return response ? fetchResponse(response) : endWhenInvalid(verifier, verified, async () => handler(request, verified, ...rest))
  }
}

/** The bindings of @hono/node-server; absent on other platforms. */
interface NodeBindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
  readonly outgoing?: OpenResponse
}

/** The members of Hono's context that the guard uses. On Node, `env` has the connection (`@hono/node-server`). */
interface HonoContextShape {
  readonly req: { readonly raw: Request }
  readonly env: unknown
  res: Response
  set(name: 'credence', value: Verified): void
}

/** Hono middleware. Handlers read the verified request with `c.get('credence')`. */
export function guardHono(
  verifier: RequestVerifier,
  guardNeeds: GuardNeeds,
): (context: HonoContextShape, next: () => Promise<void>) => Promise<Response | undefined> {
  const needs = parseNeeds(guardNeeds, 'guardHono')
  return async (context, next) => {
    const { incoming, outgoing } = (context.env ?? {}) as NodeBindings
    const { verified, response } = await admitFetch(verifier, context.req.raw, needs, incoming?.socket?.remoteAddress)
    if (response) return fetchResponse(response)
    context.set('credence', verified)
    if (outgoing) {
      cutWhenInvalid(verifier, verified, outgoing)
      await next()
    } else
      context.res = await endWhenInvalid(verifier, verified, async () => {
        await next()
        return context.res
      })
    return undefined
  }
}

function admitFetch(verifier: RequestVerifier, { method, url, headers }: Request, needs: Needs, peer?: string): Promise<Admitted> {
  // The caller chooses the host of this URL with a header, so only path and query are used.
  const { pathname, search } = new URL(url)
  return admit(verifier, { method, url: pathname + search, headers: Object.fromEntries(headers), peer }, needs)
}

const fetchResponse = ({ status, headers, body }: RefusalResponse): Response => new Response(body, { status, headers })
