// What this process asks of other registries that its operator has named: JSON, bounded in time and size. Redirects are not followed.
import { refuse } from '../../errors.js'
import { concatBytes } from '../bytes.js'
import type { Clock } from '../clock.js'
import { type JsonValue, readJson } from '../json.js'

export interface FetchedJson {
  readonly status: number
  readonly value: JsonValue
}

const TIMEOUT_MS = 5000
const MAX_BYTES = 1_048_576

/** Refuses with `unavailable` where there is no answer in time, or one that is no JSON. */
export async function fetchJson(clock: Clock, url: string, init: RequestInit = {}): Promise<FetchedJson> {
  const over = new AbortController()
  const done = new AbortController()
  void clock.after(TIMEOUT_MS, done.signal).then(() => over.abort())
  try {
    const answer = await fetch(url, { redirect: 'error', ...init, signal: over.signal })
    const json = readJson(await bodyOf(answer), { maxBytes: MAX_BYTES })
    if ('fault' in json) return refuse('unavailable', `${url} answers ${answer.status}, and no JSON: ${json.fault}`)
    return { status: answer.status, value: json.value }
  } catch (error) {
    return refuse('unavailable', `${url} cannot be asked: ${error instanceof Error ? causeOf(error) : 'unknown'}`)
  } finally {
    done.abort()
  }
}

/** Read no further than it may be long. */
async function bodyOf(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of answer.body ?? []) {
    length += part.length
    if (length > MAX_BYTES) return refuse('unavailable', `more than ${MAX_BYTES} bytes`)
    parts.push(part)
  }
  return concatBytes(...parts)
}

/** fetch says "fetch failed", and why in its cause. */
const causeOf = ({ message, cause }: Error): string => (cause instanceof Error && cause.message !== '' ? cause.message : message)
