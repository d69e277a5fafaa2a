import type { Consented } from '../../delegation/consents/find.js'
import type { GrantedConsent } from '../../delegation/consents/store.js'
import { refuse } from '../../errors.js'
import type { FamilyId } from '../../protocol/ids.js'
import type { FamiliesStore, Family, FamilyGrant } from './store.js'

interface ConsentFinder {
  readonly findConsent: (consented: Consented) => Promise<GrantedConsent | undefined>
}

/** Requires the consent under which the person allowed the grant. A later consent does not revive the grant: the client must request authorization again. */
export async function requireConsent(
  { findConsent }: ConsentFinder,
  { memberId, clientId }: Family,
  { audience, consentId }: FamilyGrant,
): Promise<GrantedConsent> {
  const consent = await findConsent({ memberId, clientId, audience })
  return consent?.id === consentId ? consent : refuse('invalid_grant', 'the person has revoked or replaced the consent, or it has expired')
}

/** Finds the rights at the audience in the authorization from which a root token was issued. */
export async function findFamilyGrant(
  { families }: { readonly families: Pick<FamiliesStore, 'get'> },
  id: FamilyId | undefined,
  audience: string,
): Promise<FamilyGrant | undefined> {
  const family = id && (await families.get(id))
  return family?.grants.find((grant) => grant.audience === audience)
}
