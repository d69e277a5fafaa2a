import type { z } from 'zod'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { sessionCookie } from '../../http/pages/cookies.js'
import { errorPage } from '../../http/pages/error-page.js'
import { requireForm } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { endSession } from './end-session.js'
import { findSession, type PersonCaller } from './session.js'
import { HOME, type SignInDeps, toSignIn } from './sign-in.js'

/** A route whose errors are pages. Every route of a page is made by this function. */
export const pageRoute = (method: 'GET' | 'POST', path: string, endpoint: (request: HttpRequest) => Promise<HttpResponse>): Route => ({
  method,
  path,
  endpoint,
  errorBody: errorPage,
})

/** A page for people who are signed in. Others sign in first and then return to it. */
export const personPage = (
  deps: SignInDeps,
  path: string,
  endpoint: (person: PersonCaller, request: HttpRequest) => Promise<HttpResponse>,
): Route =>
  pageRoute('GET', path, async (request) => {
    const person = await findSession(deps, request)
    if (!person) return toSignIn(deps, request, request.path + (request.query.size > 0 ? `?${request.query}` : ''))
    const response = await endpoint(person, request)
    await deps.trustLog.requireStillStanding(person.barrier, person.dependencies.handles)
    return response
  })

/** The id in the path of a page. A path without one names no page. */
export function idIn<S extends z.ZodType>(schema: S, text: string | undefined): z.output<S> {
  const id = schema.safeParse(text)
  return id.success ? id.data : refuse('not_found', 'there is no page with this address')
}

/** The purpose and the subject of a form, and the parameters that it may repeat. */
interface PersonForm {
  readonly purpose: string
  /** The id of the thing that the form is about. */
  readonly subjectOf?: (request: HttpRequest) => string
  readonly repeatable?: readonly string[]
}

/** Receives a form of a page for people who are signed in. Another browser or site cannot send it. */
export const personForm = (
  deps: SignInDeps,
  path: string,
  { purpose, subjectOf = () => '', repeatable = [] }: PersonForm,
  endpoint: (person: PersonCaller, form: OAuthForm, request: HttpRequest) => Promise<HttpResponse>,
): Route =>
  pageRoute('POST', path, async (request) => {
    const person = await findSession(deps, request)
    if (!person) return toSignIn(deps, request, HOME)
    const use = { formKey: person.formKey, purpose, subject: subjectOf(request) }
    return endpoint(person, requireForm(request, deps.issuer, use, repeatable), request)
  })

/** Ends the session of the browser. */
export const signOutRoute = (deps: SignInDeps): Route =>
  personForm(deps, '/sign-out', { purpose: 'sign-out' }, async (person) => {
    await endSession(deps, person.sessionId, deps.audit.recording(auditDraft(person, 'sessions.end', { subject: person.sessionId })))
    return seeOther('/sign-in', [sessionCookie(deps.issuer).clear()])
  })
