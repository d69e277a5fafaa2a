import type { Handle } from '../protocol/handles.js'

/** A request as endpoints see it; which server framework carries it is known to this folder alone. */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** The public URL that a proof must name (`htu`): the issuer and the path, never a header of the request. */
  readonly url: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Lower-case names; a header that was sent twice is an array. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Uint8Array
  readonly requestId: string
  /** Of the sender, or of whom a trusted proxy names. */
  readonly address: string
}

export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Public bytes: handles with whose end they are not answered from memory any more (transport/last-answer). */
  readonly standsOn?: readonly Handle[]
}

export type Endpoint = (request: HttpRequest) => Promise<HttpResponse>

/** One route of a feature. `:name` in the path is a parameter. */
export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly endpoint: Endpoint
}

/** JSON with its content type; other headers may be given. */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body: JSON.stringify(value),
})
