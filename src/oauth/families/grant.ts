import type { Consented } from '../../delegation/consents/find.js'
import type { GrantedConsent } from '../../delegation/consents/store.js'
import { refuse } from '../../errors.js'
import type { FamilyId } from '../../protocol/ids.js'
import type { FamiliesStore, Family, FamilyGrant } from './store.js'

interface ConsentFinder {
  readonly findConsent: (consented: Consented) => Promise<GrantedConsent | undefined>
}

/** The consent under which the person allowed the grant. A later consent does not bring the grant back: the client must ask again. */
export async function requireConsent(
  { findConsent }: ConsentFinder,
  { memberId, clientId }: Family,
  { audience, consentId }: FamilyGrant,
): Promise<GrantedConsent> {
  const consent = await findConsent({ memberId, clientId, audience })
  return consent?.id === consentId ? consent : refuse('invalid_grant', 'the person has revoked or replaced the consent, or it has expired')
}

/** What a person allowed at the audience with the authorization that a root token is from. */
export async function findFamilyGrant(
  { families }: { readonly families: Pick<FamiliesStore, 'get'> },
  id: FamilyId | undefined,
  audience: string,
): Promise<FamilyGrant | undefined> {
  const family = id && (await families.get(id))
  return family?.grants.find((grant) => grant.audience === audience)
}
