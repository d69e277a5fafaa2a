import { admit } from './answer.js'
import type { Needs, Verified, Verifier } from './verify-request.js'

/** For servers that take a web `Request` (Deno, Bun, workers): who calls, or the `Response` to give instead. The body is not touched. */
export async function guardFetch(verifier: Verifier, request: Request, needs: Needs = {}): Promise<Verified | Response> {
  const { pathname, search } = new URL(request.url)
  // Headers joins one that was sent twice with a comma, as node:http does.
  const headers = Object.fromEntries(request.headers)
  const admitted = await admit(verifier, { method: request.method, url: pathname + search, headers }, needs)
  if ('verified' in admitted) return admitted.verified
  const { status, headers: answerHeaders, body } = admitted.answer
  return new Response(body, { status, headers: { ...answerHeaders } })
}

/** A context of Hono, as far as it is touched here. */
export interface HonoContextShape {
  readonly req: { readonly raw: Request }
  set(name: 'credence', verified: Verified): void
}

/** Middleware for Hono: `c.get('credence')` in the handlers behind it. */
export const guardHono =
  (verifier: Verifier, needs: Needs = {}) =>
  async (c: HonoContextShape, next: () => Promise<void>): Promise<Response | undefined> => {
    const admitted = await guardFetch(verifier, c.req.raw, needs)
    if (admitted instanceof Response) return admitted
    c.set('credence', admitted)
    await next()
    return undefined
  }
