import { z } from 'zod'
import { concatBytes } from '../lib/bytes.js'
import type { Clock } from '../lib/clock.js'
import { isJsonObject, type JsonObject, readJson } from '../lib/json.js'
import { withTimeout } from '../lib/timeout.js'
import { CredenceError } from './errors.js'

export type Fetch = typeof globalThis.fetch

export interface HttpDeps {
  readonly fetch: Fetch
  readonly clock: Pick<Clock, 'after'>
}

const MAX_ANSWER_BYTES = 8_388_608
const MAX_RETRY_SECONDS = 5
/** A registry answers within ten seconds, or says that it cannot. */
const MAX_ANSWER_MS = 15_000
/** In which the other connections to an instance that was ended are known to be dead as well. */
const RECONNECT_SECONDS = 0.2

/** An answer whose body is a JSON object, or a CredenceError. Redirects are not followed: a token is for one place. */
export async function requestJson(
  deps: HttpDeps,
  url: string,
  init: RequestInit,
): Promise<{ readonly answer: Response; readonly body: JsonObject }> {
  const { answer, bytes } = await sent(deps, url, init)
  const json = readJson(bytes, { maxBytes: MAX_ANSWER_BYTES, maxDepth: 64 })
  const body = 'value' in json && isJsonObject(json.value) ? json.value : undefined
  if (body === undefined)
    throw new CredenceError({
      reason: 'unavailable',
      text: `the answer of ${new URL(url).pathname} is no JSON object`,
      status: answer.status,
    })
  return { answer, body }
}

/** The body of an answer, at most `maxBytes` of it: whoever sends more is hung up on while it comes, or before. */
export async function readBounded(answer: Response, maxBytes: number): Promise<Uint8Array> {
  const tooLong = () =>
    new CredenceError({ reason: 'unavailable', text: `the answer of ${answer.url} passes ${maxBytes} bytes`, status: answer.status })
  if (Number(answer.headers.get('content-length') ?? 0) > maxBytes) {
    await answer.body?.cancel()
    throw tooLong()
  }
  const parts: Uint8Array[] = []
  let size = 0
  const reader = answer.body?.getReader()
  for (let read = await reader?.read(); read?.value; read = await reader?.read()) {
    size += read.value.length
    if (size > maxBytes) {
      await reader?.cancel()
      throw tooLong()
    }
    parts.push(read.value)
  }
  return concatBytes(...parts)
}

async function sent(
  { fetch, clock }: HttpDeps,
  url: string,
  init: RequestInit,
): Promise<{ readonly answer: Response; readonly bytes: Uint8Array }> {
  const over = new AbortController()
  const read = async () => {
    const answer = await fetch(url, { redirect: 'error', signal: over.signal, ...init })
    return { answer, bytes: await readBounded(answer, MAX_ANSWER_BYTES) }
  }
  try {
    return await withTimeout(clock, MAX_ANSWER_MS, 'the answer', read())
  } catch (error) {
    over.abort()
    if (error instanceof CredenceError) throw error
    throw new CredenceError({ reason: 'unavailable', text: `${new URL(url).origin} cannot be reached: ${whyOf(error)}`, status: 0 })
  }
}

/** What `fetch` says is "fetch failed"; what it was stands behind it. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}

const Problem = z.object({
  reason: z.string(),
  text: z.string(),
  faults: z.array(z.object({ pointer: z.string(), hint: z.string() })).default([]),
  requestId: z.string().optional(),
})

/** The refusal in an answer: of tRPC, or of any other door (RFC 6749 §5.2). */
export function errorOf(answer: Response, body: JsonObject): CredenceError {
  const { error } = body
  const data = isJsonObject(error) && isJsonObject(error.data) ? error.data : undefined
  const parsed = Problem.safeParse(
    isJsonObject(error)
      ? { reason: data?.reason, text: error.message, faults: data?.faults, requestId: data?.requestId }
      : { reason: error, text: body.error_description ?? '', faults: body.faults, requestId: body.request_id },
  )
  const retryAfter = Number(answer.headers.get('retry-after') ?? data?.retryAfterSeconds ?? Number.NaN)
  return new CredenceError({
    ...(parsed.success ? parsed.data : { reason: 'unavailable', text: `the answer ${answer.status} says nothing` }),
    status: answer.status,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  })
}

/**
 * Once more where the registry says that it does not know now (503 with Retry-After). What may be done twice, also where no answer came: an
 * instance was ended, and its connection with it.
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
    const seconds = error.status === 503 ? error.retryAfterSeconds : error.status === 0 && mayRepeat ? RECONNECT_SECONDS : undefined
    if (seconds === undefined) throw error
    await clock.after(Math.min(seconds, MAX_RETRY_SECONDS) * 1000)
    return work()
  }
}
