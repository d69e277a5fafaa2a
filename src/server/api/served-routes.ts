import { cosignerNameOf } from '../../credentials/checkpoint.js'
import { approvalPages } from '../../delegation/approvals/account-pages.js'
import { consentPages } from '../../delegation/consents/account-pages.js'
import { taskForms } from '../../delegation/tasks/account-section.js'
import { landingPage } from '../../http/landing-page.js'
import type { Route } from '../../http/route.js'
import { accountForms } from '../../identity/people/account-sections.js'
import { signInPages } from '../../identity/people/sign-in-pages.js'
import { youPage } from '../../identity/people/you-page.js'
import { oauthEndpoints } from '../../oauth/endpoints.js'
import { consolePages } from '../../oauth/session/console-page.js'
import { ardEndpoints } from '../../registry/ard/endpoints.js'
import { cardEndpoints } from '../../registry/cards/endpoints.js'
import { jwksEndpoint } from '../../signing-keys/jwks-endpoint.js'
import { type CosignedOrigin, cosignEndpoints } from '../../trust-log/cosignatures/witness-endpoint.js'
import { logEndpoints } from '../../trust-log/proofs/log-endpoints.js'
import { witnessRoutes } from '../../trust-log/witness/serve.js'
import type { Services } from '../services.js'
import type { ServiceDeps } from '../stores.js'

export interface RouteDeps extends ServiceDeps {
  /** Issuers of the registries whose witness this registry is. */
  readonly witnessFor?: readonly string[]
  /** The logs whose checkpoints this registry cosigns (C2SP tlog-witness). */
  readonly cosignFor?: readonly CosignedOrigin[]
}

/** The HTTP endpoints and pages of all features, besides tRPC and the health server. */
export const servedRoutes = (deps: RouteDeps, services: Services): Route[] => [
  landingPage(services),
  ...signInPages(services),
  youPage(services, services.accountSections),
  ...accountForms(services),
  ...taskForms(services),
  ...consentPages(services),
  ...approvalPages(services),
  ...consolePages(services),
  ...oauthEndpoints(services),
  jwksEndpoint(services),
  ...cardEndpoints(services),
  ...ardEndpoints(services),
  ...logEndpoints(services),
  ...witnessRoutes(deps),
  ...cosignEndpoints({
    ...deps,
    name: cosignerNameOf(deps.issuer),
    signer: () => services.keyRing.signer('witness'),
    origins: deps.cosignFor ?? [],
  }),
]
