import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { MemberId, OrgId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'

/** A person, or all people of an organisation. */
export type People = { readonly memberId: MemberId } | { readonly orgId: OrgId }

/** Tokens for a person do not depend on its membership, because its handle would identify it. So its consents end with the membership. */
export interface ConsentsOfPeople {
  /** For the commit that ends the membership. */
  readonly endingsOfConsents: (people: People) => Promise<readonly Ending[]>
  /** Ends the consents that are left after this commit. To be called before the revocation is acknowledged. */
  readonly endRemainingConsents: (caller: Caller, people: People, because: RevocationReason) => Promise<void>
}
