import type { OAuthForm } from '../../http/form.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { HttpRequest } from '../../http/route.js'
import type { LimitsInForce } from '../../identity/limits/in-force.js'
import {
  type AuthenticatedClient,
  type AuthenticatedExternal,
  type ClientAuthDeps,
  confirmAnyClient,
  consumeAssertion,
  verifyClient,
} from './client-auth.js'
import { requirePublicClient } from './public-client.js'

export type SenderDeps = ClientAuthDeps & { readonly limits: Pick<LimitsInForce, 'ofClient' | 'configured'> }

/** The client that sent a request. */
interface Sender {
  readonly rateKey: string
  readonly perSecond: number
  /** False if the assertion was used before. */
  consume(): Promise<boolean>
  /** To be called after the read barrier. */
  confirm(isFirstUse: boolean): Promise<AuthenticatedClient | AuthenticatedExternal>
}

export async function authenticatedSender(deps: SenderDeps, request: HttpRequest, form: OAuthForm): Promise<Sender> {
  const verified = await verifyClient(deps, request, form)
  const limits = verified.client.kind === 'external' ? deps.limits.configured : await deps.limits.ofClient(verified.client)
  return {
    rateKey: verified.client.id,
    perSecond: limits.tokenRequestsPerSecond,
    consume: () => consumeAssertion(deps, verified, {}),
    confirm: (isFirstUse) => confirmAnyClient(deps, verified, isFirstUse),
  }
}

/** Any caller can send the id of a public client, so the rate is one per address, not per client. */
export async function publicSender(deps: SenderDeps, request: HttpRequest, form: OAuthForm): Promise<Sender> {
  return {
    rateKey: `public ${addressPrefix(request.address)}`,
    perSecond: deps.limits.configured.tokenRequestsPerSecond,
    consume: async () => true,
    confirm: async () => ({ client: await requirePublicClient(deps, request, form), key: undefined }),
  }
}
