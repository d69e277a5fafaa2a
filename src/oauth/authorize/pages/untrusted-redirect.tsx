import { REFUSALS, type Refusal } from '../../../errors.js'
import { Foreign } from '../../../http/pages/foreign.js'
import { page } from '../../../http/pages/page.js'
import type { HttpResponse } from '../../../http/route.js'
import { usesOf } from '../../../identity/clients/admissions.js'
import { type AdmittedDeps, isAdmitted } from '../../../identity/clients/rules/rules.js'
import { ExternalClientId } from '../../../protocol/ids.js'
import type { AuthorizationClient } from '../client.js'
import { errorUriOf, hostOf, type Target } from '../redirect.js'

/** True if an organisation of the registry registered the client, allowed it or admitted it. */
export async function isTrusted(deps: AdmittedDeps, client: AuthorizationClient): Promise<boolean> {
  if (client.kind === 'agent' || client.orgId !== undefined) return true
  const id = ExternalClientId.safeParse(client.id)
  if (!id.success) return false
  for (const { orgId } of await usesOf(deps, id.data)) if (await isAdmitted(deps, client, orgId)) return true
  return false
}

/**
 * The error response to a client that no organisation trusts: a link, which the person may follow. An automatic redirect would let any site use this registry
 * as an open redirector, by a request with a deliberate error.
 *
 * @see [RFC 9700 §4.11.2](https://www.rfc-editor.org/rfc/rfc9700.html#section-4.11.2)
 */
export const untrustedErrorPage = (issuer: string, target: Target, refusal: Refusal): HttpResponse =>
  page(
    { title: 'The request of the application failed', status: REFUSALS[refusal.reason].http },
    <>
      <p class="error" role="alert">
        <Foreign text={refusal.message} />
      </p>
      <p>
        No organisation of this registry has registered or allowed the application that sent you here. It asks to send you back to{' '}
        <code>{hostOf(target.redirectUri)}</code>. If you did not come from there, close this page.
      </p>
      <p>
        <a href={errorUriOf(issuer, target, refusal)} rel="noreferrer">
          Go to {hostOf(target.redirectUri)}
        </a>
      </p>
    </>,
  )
