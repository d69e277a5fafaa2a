import { type FindConsentDeps, findConsent } from '../../../delegation/consents/find.js'
import { page } from '../../../http/pages/page.js'
import type { HttpResponse } from '../../../http/route.js'
import type { SessionDeps } from '../../../identity/people/session.js'
import { type AdminApprovalDeps, adminApprovalFor } from '../admin-approval.js'
import type { Asked } from '../asked.js'
import { rightsOf } from '../decision.js'
import { namesOf, type Offer, type OfferDeps } from '../offer.js'
import { ConsentForm, type EarlierConsent } from './consent-page.js'
import { type DescribeClientDeps, describeClient } from './describe-client.js'

export type ShowConsentDeps = DescribeClientDeps & AdminApprovalDeps & OfferDeps & FindConsentDeps & Pick<SessionDeps, 'trustLog'>

interface Shown {
  readonly offers: readonly Offer[]
  readonly requestUri: string
  /** Where the form may lead, besides this registry. */
  readonly formAction: readonly string[]
}

/** The page on which the person decides. */
export async function showConsent(deps: ShowConsentDeps, asked: Asked, { offers, requestUri, formAction }: Shown): Promise<HttpResponse> {
  const { person, pending } = asked
  const passedTo = pending.request.delegation?.rights.map(({ audience }) => audience) ?? []
  const [description, approval, names, earlier] = await Promise.all([
    describeClient(deps, asked),
    adminApprovalFor(deps, asked, offers, { rights: rightsOf(offers, pending.request) }),
    namesOf(deps, passedTo),
    earlierConsents(deps, asked, offers),
  ])
  await deps.trustLog.requireStillStanding(person.barrier, person.dependencies.handles)
  return page(
    { title: 'Allow an application to act for you', viewer: person, formAction },
    ConsentForm({ asked, offers, requestUri, description, approval, names, earlier }),
  )
}

async function earlierConsents(
  deps: FindConsentDeps,
  { client, person }: Asked,
  offers: readonly Offer[],
): Promise<readonly EarlierConsent[]> {
  const found = await Promise.all(
    offers.map(async ({ audience, name }) => {
      const consent = await findConsent(deps, { memberId: person.id, clientId: client.id, audience })
      return consent ? [{ name, scopes: consent.bounds.scopes, until: consent.dependencies.expiresAt }] : []
    }),
  )
  return found.flat()
}
