// Guards for whatever speaks Request and Response: Hono, Deno, Bun, Cloudflare Workers.
import { type Admitted, type Admitting, admit } from './admit.js'
import type { RefusalResponse } from './refusal-response.js'
import type { Needs, Verified } from './verify-request.js'

/** `fetch` of a server: `Deno.serve(guardFetch(verifier, needs, handler))`, `export default { fetch: guardFetch(…) }`. The body is not touched. */
export function guardFetch<Rest extends readonly unknown[]>(
  verifier: Admitting,
  needs: Needs,
  handler: (request: Request, credence: Verified, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const { verified, answer } = await admitFetch(verifier, request, needs)
    return answer ? responseOf(answer) : handler(request, verified, ...rest)
  }
}

/** What is touched of Hono's context; `env` has the connection on Node (`@hono/node-server`). */
export interface HonoContextShape {
  readonly req: { readonly raw: Request }
  readonly env: unknown
  set(name: 'credence', value: Verified): void
}

/** Middleware of Hono. Handlers read `c.get('credence')`. */
export function guardHono(
  verifier: Admitting,
  needs: Needs = {},
): (context: HonoContextShape, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (context, next) => {
    const { incoming } = (context.env ?? {}) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } } // absent elsewhere
    const { verified, answer } = await admitFetch(verifier, context.req.raw, needs, incoming?.socket?.remoteAddress)
    if (answer) return responseOf(answer)
    context.set('credence', verified)
    await next()
    return undefined
  }
}

function admitFetch(verifier: Admitting, { method, url, headers }: Request, needs: Needs, peer?: string): Promise<Admitted> {
  // Its host is what the caller wrote in a header: only path and query are taken.
  const { pathname, search } = new URL(url)
  return admit(verifier, { method, url: pathname + search, headers: Object.fromEntries(headers), peer }, needs)
}

const responseOf = ({ status, headers, body }: RefusalResponse): Response => new Response(body, { status, headers })
