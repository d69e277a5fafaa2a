import { refuse } from '../../errors.js'
import type { Clock } from '../clock.js'
import { type JsonValue, readJson } from '../json.js'
import { readBody } from './read-body.js'

export interface FetchedJson {
  readonly status: number
  readonly value: JsonValue
}

const TIMEOUT_MS = 5000
const MAX_BYTES = 1_048_576

/**
 * Fetches JSON from another registry whose address the operator has configured. Redirects are not followed.
 * Refuses with `unavailable` if the response takes longer than TIMEOUT_MS, is larger than MAX_BYTES, or is not JSON.
 */
export async function fetchJson(clock: Clock, url: string, init: RequestInit = {}): Promise<FetchedJson> {
  const { status, body } = await fetchBytes(clock, url, init)
  const json = readJson(body, { maxBytes: MAX_BYTES })
  return 'fault' in json
    ? refuse('unavailable', `cannot fetch ${url}: the response is not JSON (status ${status}): ${json.fault}`)
    : { status, value: json.value }
}

/** Like `fetchJson`, for a response of any type. */
export async function fetchBytes(
  clock: Clock,
  url: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Uint8Array }> {
  const timeout = new AbortController()
  const done = new AbortController()
  void clock.after(TIMEOUT_MS, done.signal).then(() => timeout.abort())
  try {
    const response = await fetch(url, { redirect: 'error', ...init, signal: timeout.signal })
    const body = await readBody(response, MAX_BYTES, timeout.signal)
    if (body === undefined) throw new Error(`the response is larger than ${MAX_BYTES} bytes`)
    return { status: response.status, headers: response.headers, body }
  } catch (error) {
    return refuse('unavailable', `cannot fetch ${url}: ${error instanceof Error ? causeOf(error) : 'unknown cause'}`)
  } finally {
    done.abort()
  }
}

/** The message of a fetch error is always "fetch failed"; its cause says why. */
const causeOf = ({ message, cause }: Error): string => (cause instanceof Error && cause.message !== '' ? cause.message : message)
