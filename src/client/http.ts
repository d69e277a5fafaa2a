import { z } from 'zod'
import { type AccessRequest, CredenceError, type Fault } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import { readBody } from '../lib/io/read-body.js'
import { isJsonObject, type JsonObject, readJson } from '../lib/json.js'
import { traceHeaders } from '../lib/telemetry/tracing.js'
import { withTimeout } from '../lib/timeout.js'
import { faultsMissingIn, textOfIssues } from '../protocol/input-faults.js'

export type Fetch = typeof globalThis.fetch

/** Adds the header `traceparent` of the current span to each request; without an SDK of OpenTelemetry there is none. */
export const traced =
  (fetch: Fetch): Fetch =>
  (input, init) => {
    const { traceparent } = traceHeaders()
    if (traceparent === undefined) return fetch(input, init)
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set('traceparent', traceparent)
    return fetch(input, { ...init, headers })
  }

export interface HttpDeps {
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'after'>
}

export const MAX_RESPONSE_BYTES = 8_388_608
export const MAX_RESPONSE_VALUES = 1_000_000
/** Longest wait before a retry; a longer Retry-After is shortened to this. */
const MAX_RETRY_SECONDS = 5
/** A registry responds within ten seconds, if necessary with 503. A request that takes longer than this fails as `unavailable`. */
const MAX_RESPONSE_MS = 15_000
/** Wait before a request without a response is repeated: when an instance is killed, its other connections are closed within this time. */
const RECONNECT_SECONDS = 0.2

/**
 * Sends a request and reads a JSON object. Throws a CredenceError for anything else. Redirects fail, because a token is for one audience.
 */
export async function requestJson(
  deps: HttpDeps,
  url: string,
  init: RequestInit,
): Promise<{ readonly response: Response; readonly body: JsonObject }> {
  const { response, bytes } = await send(deps, url, init)
  const json = readJson(bytes, { maxBytes: MAX_RESPONSE_BYTES, maxDepth: 64, maxValues: MAX_RESPONSE_VALUES })
  const body = 'value' in json && isJsonObject(json.value) ? json.value : undefined
  if (body === undefined)
    throw new CredenceError({
      reason: 'unavailable',
      text: `the response of ${new URL(url).pathname} is not a JSON object`,
      status: response.status,
    })
  return { response, body }
}

/**
 * Sends a request and reads the response, of at most MAX_RESPONSE_BYTES. Throws `unavailable` if there is none within MAX_RESPONSE_MS, and closes the
 * connection then, so that a process can end.
 */
export async function send(
  { fetch, clock }: HttpDeps,
  url: string,
  init: RequestInit = {},
): Promise<{ readonly response: Response; readonly bytes: Uint8Array }> {
  const timeout = new AbortController()
  const read = async () => {
    const response = await fetch(url, { redirect: 'error', ...init, signal: timeout.signal })
    return { response, bytes: await readBody(response, MAX_RESPONSE_BYTES, timeout.signal) }
  }
  const { response, bytes } = await withTimeout(clock, MAX_RESPONSE_MS, 'the response', read()).catch((error: unknown) => {
    timeout.abort()
    if (error instanceof CredenceError) throw error
    throw new CredenceError({ reason: 'unavailable', text: `cannot reach ${new URL(url).origin}: ${causeOf(error)}`, status: 0 })
  })
  if (bytes !== undefined) return { response, bytes }
  const text = `the response of ${new URL(url).pathname} exceeds ${MAX_RESPONSE_BYTES} bytes`
  throw new CredenceError({ reason: 'unavailable', text, status: response.status })
}

/** The message of an error of `fetch` is only "fetch failed"; its cause says why. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}

/** The value in the form that `schema` requires of a registry's response. */
export function parseResponse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new CredenceError({
    reason: 'unavailable',
    text: `${what} is not in the expected form: ${textOfIssues(parsed.error.issues)}`,
    status: 0,
  })
}

const textWithFaults = ({ text, faults }: { readonly text: string; readonly faults: readonly Fault[] }): string =>
  [text, ...faultsMissingIn(text, faults).map(({ pointer, hint }) => `${pointer || '(whole)'}: ${hint}`)].join('; ')

const Problem = z.object({
  reason: z.string(),
  text: z.string(),
  faults: z.array(z.object({ pointer: z.string(), hint: z.string() })).default([]),
  requestId: z.string().optional(),
})

const AccessRequestBody = z.object({ endpoint: z.string(), binding_token: z.string(), expires_at: z.number() })

function accessRequestIn(value: unknown): AccessRequest | undefined {
  const { data } = AccessRequestBody.safeParse(value)
  return data && { endpoint: data.endpoint, bindingToken: data.binding_token, expiresAt: data.expires_at }
}

const AvailableBody = z.object({ calls: z.number().optional(), units: z.number().optional() })

/** The error in a response of tRPC or of any other endpoint (RFC 6749 §5.2). */
export function errorOf(response: Response, body: JsonObject): CredenceError {
  const { error } = body
  const data = isJsonObject(error) && isJsonObject(error.data) ? error.data : undefined
  const parsed = Problem.safeParse(
    isJsonObject(error)
      ? { reason: data?.reason, text: error.message, faults: data?.faults, requestId: data?.requestId }
      : { reason: error, text: body.error_description ?? '', faults: body.faults, requestId: body.request_id },
  )
  const retryAfter = Number(response.headers.get('retry-after') ?? data?.retryAfterSeconds ?? Number.NaN)
  return new CredenceError({
    ...(parsed.success
      ? { ...parsed.data, text: textWithFaults(parsed.data) }
      : { reason: 'unavailable', text: `the response has status ${response.status} and no error message` }),
    status: response.status,
    accessRequest: accessRequestIn(body.access_request),
    available: AvailableBody.safeParse(body.available).data,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  })
}

/**
 * Runs `work`, and runs it once more after a 503 or 429 with Retry-After. Work that may be repeated also runs once more if no response arrived,
 * because the instance may have been killed together with its connection.
 */
export async function withOneRetry<T>(
  { clock }: Pick<HttpDeps, 'clock'>,
  work: () => Promise<T>,
  { mayRepeat = false }: { readonly mayRepeat?: boolean } = {},
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof CredenceError)) throw error
    const seconds =
      error.status === 503 || error.status === 429
        ? error.retryAfterSeconds
        : error.status === 0 && mayRepeat
          ? RECONNECT_SECONDS
          : undefined
    if (seconds === undefined) throw error
    await clock.after(Math.min(seconds, MAX_RETRY_SECONDS) * 1000)
    return work()
  }
}
