import type { AuditDraft } from '../../audit/audit.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { Handle } from '../../protocol/handles.js'
import type { MemberId, OrgId } from '../../protocol/ids.js'
import type { EntryType, Position } from '../../protocol/log/entry.js'
import type { Operation } from '../../storage/storage.js'

/** One person, all people of an organisation, or all people whose session a passkey, an account or an OpenID Provider opened. */
export type People = { readonly memberId: MemberId } | { readonly orgId: OrgId } | { readonly grantedBy: Handle }

/** The end of something that consents stand on. */
export interface EndingOfPeople {
  readonly type: EntryType
  readonly handle: Handle
  readonly draft: AuditDraft
  readonly because: RevocationReason
  /** Further operations of the commit. */
  readonly operations?: readonly Operation[]
}

/**
 * Tokens for a person depend neither on the membership nor on the sign-in, because these handles would identify the person. So ending one of these handles
 * also ends the consents.
 */
export interface ConsentsOfPeople {
  /** Ends the handle, and with it the consents of the people. Resolves when none is left. */
  readonly endWithConsents: (people: People, ending: EndingOfPeople) => Promise<{ readonly position: Position }>
}
