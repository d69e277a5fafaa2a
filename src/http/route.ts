import type { Refusal } from '../errors.js'
import type { Handle } from '../protocol/handles.js'
import type { EnterAs } from './limits/request-queues.js'

/** A request as endpoints see it. */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** The public URL that a proof must name (`htu`): the issuer and the path. Request headers do not influence it. */
  readonly url: string
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Names are in lower case; a header that was sent twice is an array. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Uint8Array
  readonly requestId: string
  /** IP address of the sender, or the address that a trusted proxy forwards. */
  readonly address: string
  /** Counts the request for this client, and no longer for its address. Called once the client's signature was verified. */
  readonly enterAs?: EnterAs
}

export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Values of `Set-Cookie`. */
  readonly cookies?: readonly string[]
  readonly body?: string | Uint8Array
  /** Handles that a public response depends on: stale-if-error.ts drops it from its cache when one of them ends. */
  readonly dependsOn?: readonly Handle[]
}

/** The signal aborts when the caller disconnects. It is that of the connection, so an endpoint that adds a listener removes it. */
type Endpoint = (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>

/** Makes the body of an error response: an object for JSON, or the text of an HTML page. Without a refusal it is the body of a bug. */
export type ErrorBody = (refusal: Refusal | undefined, requestId: string) => object | string

/** A route of a feature. `:name` in the path is a parameter, `*` stands for the rest of a path. */
export interface Route {
  /** GET also answers HEAD. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly endpoint: Endpoint
  /** Names the variant of the response that the headers of the request select (`Vary`), so that a cache keeps variants apart. */
  variantOf?(request: HttpRequest): string
  /** Default: BODY_BYTES. */
  maxBodyBytes?(path: string): number
  /** For an API whose standard defines another form of errors. All routes of a path have the same. */
  readonly errorBody?: ErrorBody
}

/** A JSON response that must not be cached. `headers` can override `content-type` and `cache-control`. */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse =>
  jsonText(status, JSON.stringify(value), headers)

/** Like `json`, for a value that is already JSON text. Sending a large text as bytes takes half the CPU. */
export const jsonText = (status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  body,
})
