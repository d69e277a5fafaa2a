import { createHmac } from 'node:crypto'
import type { ComponentChildren } from 'preact'
import { refuse } from '../../errors.js'
import { equalTexts } from '../../lib/bytes.js'
import { MAX_PAGE_PARAMETERS, type OAuthForm, parseForm } from '../form.js'
import type { HttpRequest } from '../route.js'

const TOKEN = 'form_token'

/** The purpose of a form, and the browser that it was sent to: its token is valid for nothing else. */
interface FormUse {
  /** The value of the cookie that identifies the browser: of its session, or of the sign-in that it has begun. */
  readonly formKey: string
  /** The operation, such as `sessions.end`. */
  readonly purpose: string
  /** The id of the thing that the form is about, if a page has several. */
  readonly subject?: string
}

interface FormProps extends FormUse {
  readonly action: string
  /** Data for the script of the page, as JSON in `data-options`. */
  readonly options?: object
  readonly children: ComponentChildren
}

/** A POST form with its token. */
export function Form({ action, options, children, ...use }: FormProps) {
  return (
    <form method="post" action={action} data-options={options && JSON.stringify(options)}>
      <input type="hidden" name={TOKEN} value={formTokenOf(use)} />
      {children}
    </form>
  )
}

/**
 * The token of a form. Its key is the cookie, so only a page that the registry has sent to this browser contains it, and it needs no
 * storage. It says nothing about the cookie.
 */
const formTokenOf = ({ formKey, purpose, subject = '' }: FormUse): string =>
  createHmac('sha256', formKey).update(`form\0${purpose}\0${subject}`).digest('base64url')

/**
 * Parses a form that a page of the registry has sent. Refuses one of another site, or of another browser, with `csrf`: every POST of a
 * page is checked here.
 */
export function requireForm(request: HttpRequest, issuer: string, use: FormUse, repeatable: readonly string[] = []): OAuthForm {
  requireSameOrigin(request, issuer)
  const form = parseForm(request, repeatable, MAX_PAGE_PARAMETERS)
  if (!equalTexts(form.get(TOKEN) ?? '', formTokenOf(use)))
    refuse('csrf', 'the form is not from a page of this session; go back, reload the page and try again')
  return form
}

/** The purpose of the token that a page carries for its script, and the header in which the script sends it. */
const SCRIPT_PURPOSE = 'script'
const SCRIPT_HEADER = 'x-csrf-token'

/** The token of the scripts of a page, in the head of the page. */
export const ScriptToken = ({ formKey }: Pick<FormUse, 'formKey'>) => (
  <meta name="csrf-token" content={formTokenOf({ formKey, purpose: SCRIPT_PURPOSE })} />
)

/** Refuses a request that a script of a page of this session did not send. */
export function requireScriptRequest(request: HttpRequest, issuer: string, formKey: string): void {
  requireSameOrigin(request, issuer)
  if (!equalTexts(String(request.headers[SCRIPT_HEADER] ?? ''), formTokenOf({ formKey, purpose: SCRIPT_PURPOSE })))
    refuse('csrf', `send the token of the page (<meta name="csrf-token">) in the header ${SCRIPT_HEADER}`)
}

/** Refuses a request that a browser did not send from a page of this registry. Every browser sends `Origin` with a POST. */
function requireSameOrigin({ headers }: Pick<HttpRequest, 'headers'>, issuer: string): void {
  const site = headers['sec-fetch-site']
  if (headers.origin !== issuer || (site !== undefined && site !== 'same-origin'))
    refuse('csrf', `the request does not come from a page of this registry (${issuer})`)
}
