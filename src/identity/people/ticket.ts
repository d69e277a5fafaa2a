import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { MemberId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { SessionDeps } from './session.js'
import type { PeopleStore, SignInGrant, TicketReturnTo } from './store.js'

export interface TicketDeps extends Pick<SessionDeps, 'findClient'> {
  readonly people: PeopleStore
  readonly storage: Pick<Storage, 'commit'>
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
}

const TICKET_SECONDS = 60

export interface TicketIssued {
  /** Opens the sign-in page. The ticket is in the fragment, which browsers do not send to servers or proxies. */
  readonly url: string
  readonly ticket: string
  readonly expiresAt: number
}

/**
 * Issues a ticket with which the calling member signs in with a browser, once. The session may do all that the member may, so the caller's token needs
 * all of the member's scopes. The session ends with the key of the token. The sign-in leads to `returnTo`, by default to the account.
 */
export async function issueTicket(
  deps: TicketDeps,
  caller: Caller,
  { returnTo }: { readonly returnTo?: TicketReturnTo | undefined },
): Promise<TicketIssued> {
  const client = await deps.findClient(MemberId.parse(caller.id))
  if (!client?.ceiling.rights.every(({ scope }) => caller.scopes.includes(scope)))
    refuse(
      'insufficient_scope',
      'a session may do all that you may: use a token with all of your scopes (a root token requested without scope)',
    )
  const ticket = deps.random.token(16)
  const expiresAt = caller.barrier.now + TICKET_SECONDS
  const dependsOn = [...caller.identities, deps.trustLog.epoch]
  const grant: SignInGrant = { memberId: MemberId.parse(caller.id), amr: ['pop'], dependsOn }
  const committed = await deps.storage.commit([
    deps.people.tickets.inserting({ ...grant, id: digestOfText(ticket), ...(returnTo && { returnTo }), expiresAt }),
    deps.audit.recording(auditDraft(caller, 'sessions.ticket', {})),
  ])
  if (!committed.ok) refuse('conflict', 'the ticket could not be saved; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { url: `${deps.issuer}/sign-in#${ticket}`, ticket, expiresAt }
}

/** Redeems a ticket, once. */
export async function redeemTicket(
  { people }: Pick<TicketDeps, 'people'>,
  ticket: string,
  now: number,
): Promise<{ readonly offered: SignInGrant; readonly returnTo: TicketReturnTo | undefined } | undefined> {
  const redeemed = ticket.length > 64 ? undefined : await people.tickets.take(digestOfText(ticket), {})
  if (!redeemed || redeemed.expiresAt <= now) return undefined
  const { id: _, expiresAt: __, returnTo, ...offered } = redeemed
  return { offered, returnTo }
}
