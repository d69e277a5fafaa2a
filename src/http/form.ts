import { refuse } from '../errors.js'
import { decodeUtf8 } from '../lib/bytes.js'
import type { HttpRequest } from './route.js'

/** The parameters of an OAuth request. An empty value counts as absent (RFC 6749 §3.1). */
export interface OAuthForm {
  get(name: string): string | undefined
  /** All values of `resource` or `audience`, which may be repeated (RFC 8707 §2, RFC 8693 §2.1). */
  getAll(name: string): readonly string[]
  /** The names of all parameters, in the order of their first occurrence. */
  readonly names: readonly string[]
}

const MAX_PARAMETERS = 64
/** A form of a page has a box per right, tool or resource: up to 64 rights (MAX_NAMES) at each of 8 audiences. */
export const MAX_PAGE_PARAMETERS = 640
const MAX_VALUE_LENGTH = 16_384

/** Parses a form body. Unknown parameters are ignored; a repeated one is refused unless it is `repeatable` (RFC 6749 §3.2). */
export function parseForm(request: HttpRequest, repeatable: readonly string[] = [], maxParameters = MAX_PARAMETERS): OAuthForm {
  const [mediaType = ''] = String(request.headers['content-type'] ?? '').split(';')
  if (mediaType.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    refuse('unsupported_media_type', 'send application/x-www-form-urlencoded')
  if ([...request.query.keys()].length > 0) refuse('invalid_request', 'send the parameters in the body, not in the query')
  const text = decodeUtf8(request.body)
  if (text === undefined || /%(?![0-9a-fA-F]{2})/.test(text) || /%00/.test(text))
    return refuse('invalid_request', 'the body is not a valid form: use UTF-8, valid percent-encoding and no NUL character')
  // Empty parameters count too: they take time to parse
  if (text.split('&', maxParameters + 1).length > maxParameters) refuse('invalid_request', `more than ${maxParameters} parameters`)
  return formOf(new URLSearchParams(text), repeatable)
}

/** The same for the parameters of a query, which the URL parser has decoded. */
export function parseQuery({ query }: Pick<HttpRequest, 'query'>, repeatable: readonly string[] = []): OAuthForm {
  if (query.size > MAX_PARAMETERS) refuse('invalid_request', `more than ${MAX_PARAMETERS} parameters`)
  return formOf(query, repeatable)
}

function formOf(parameters: URLSearchParams, repeatable: readonly string[]): OAuthForm {
  const values = new Map<string, string[]>()
  for (const [name, value] of parameters) {
    if (value.length > MAX_VALUE_LENGTH) refuse('invalid_request', `a parameter is longer than ${MAX_VALUE_LENGTH} characters`)
    if (value !== '') values.set(name, [...(values.get(name) ?? []), value])
  }
  for (const [name, list] of values)
    if (list.length > 1 && !repeatable.includes(name))
      refuse('invalid_request', PARAMETER_NAME.test(name) ? `the parameter ${name} is repeated` : 'a parameter is repeated')
  return { get: (name) => values.get(name)?.[0], getAll: (name) => values.get(name) ?? [], names: [...values.keys()] }
}

/** Error texts quote a parameter name only if it looks like the name of an OAuth parameter. */
const PARAMETER_NAME = /^[a-z_]{1,40}$/
