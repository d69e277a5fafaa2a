import { refuse } from '../errors.js'
import { textOf } from '../lib/bytes.js'
import type { HttpRequest } from './route.js'

/** Parameters of an OAuth request. An empty value counts as absent (RFC 6749 §3.1). */
export interface OAuthForm {
  one(name: string): string | undefined
  /** For `resource` and `audience`, which may be repeated (RFC 8707 §2, RFC 8693 §2.1). */
  all(name: string): readonly string[]
}

const MAX_PARAMETERS = 64
const MAX_VALUE_LENGTH = 16_384

/** A form body; unknown parameters are ignored, repeated ones refused unless `repeatable` (RFC 6749 §3.2). */
export function parseForm(request: HttpRequest, repeatable: readonly string[] = []): OAuthForm {
  const [mediaType = ''] = String(request.headers['content-type'] ?? '').split(';')
  if (mediaType.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    refuse('unsupported_media_type', 'send application/x-www-form-urlencoded')
  if ([...request.query.keys()].length > 0) refuse('invalid_request', 'parameters belong in the body')
  const text = textOf(request.body)
  if (text === undefined || /%(?![0-9a-fA-F]{2})/.test(text) || /%00/.test(text)) return refuse('invalid_request', 'the form is malformed')
  // Counted before they are split: empty ones cost too.
  if (text.split('&', MAX_PARAMETERS + 1).length > MAX_PARAMETERS) refuse('invalid_request', `more than ${MAX_PARAMETERS} parameters`)
  const values = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (value.length > MAX_VALUE_LENGTH) refuse('invalid_request', 'a parameter is too long')
    if (value !== '') values.set(name, [...(values.get(name) ?? []), value])
  }
  for (const [name, list] of values)
    if (list.length > 1 && !repeatable.includes(name))
      refuse('invalid_request', `the parameter ${KNOWN.test(name) ? name : ''} is repeated`)
  return { one: (name) => values.get(name)?.[0], all: (name) => values.get(name) ?? [] }
}

/** Only names of the standard's form are said back. */
const KNOWN = /^[a-z_]{1,40}$/
