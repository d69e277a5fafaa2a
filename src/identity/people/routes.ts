import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { creationFor, credentialFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { IssuerId, LinkId, MemberId, OrgId, RegisteredKeyId, SessionId } from '../../protocol/ids.js'
import { listPasskeys, type PasskeyDeps, type PasskeyView, revokePasskey } from './passkeys/passkeys.js'
import type { ConsentsOfPeople } from './people.js'
import { endAllSessions, endSession, listSessions, type SessionsDeps } from './sessions.js'
import { TicketReturnTo } from './store.js'
import { issueTicket, type TicketDeps, type TicketIssued } from './ticket.js'
import {
  type IssuersDeps,
  type IssuerView,
  type LinkView,
  listIssuers,
  listLinks,
  registerIssuer,
  revokeIssuer,
  revokeLink,
} from './upstream/issuers.js'

const ADMINISTRATORS: readonly Role[] = ['administrator', 'operator']
const MEMBERS: readonly Role[] = ['member', ...ADMINISTRATORS]
const PEOPLE: readonly Role[] = ['person', 'member', 'administrator', 'operator']

/** Default: the caller. */
const OfMember = z.strictObject({ memberId: MemberId.optional() }).prefault({})

export const sessionsRoutes = (deps: TicketDeps & SessionsDeps) =>
  router({
    ticket: credentialFor('any', PEOPLE)
      .input(z.strictObject({ returnTo: TicketReturnTo.optional() }).prefault({}))
      .mutation(({ ctx, input }): Promise<TicketIssued> => issueTicket(deps, ctx.caller, input)),
    list: procedureFor('any', PEOPLE)
      .input(OfMember)
      .query(({ ctx, input }) => listSessions(deps, ctx.caller, input.memberId)),
    end: procedureFor('any', PEOPLE)
      .input(z.strictObject({ sessionId: SessionId }))
      .mutation(({ ctx, input }) => endSession(deps, ctx.caller, input.sessionId)),
    endAll: procedureFor('any', PEOPLE)
      .input(OfMember)
      .mutation(({ ctx, input }) => endAllSessions(deps, ctx.caller, input.memberId)),
  })

const IssuerUrl = z
  .string()
  .max(512)
  .regex(/^https?:\/\/[^\s?#@\\]+$/, 'expected the issuer URL of an OpenID Provider, such as https://login.acme.example')

export const issuersRoutes = (deps: IssuersDeps & ConsentsOfPeople) =>
  router({
    register: creationFor('admin', ADMINISTRATORS)
      .input(
        z.strictObject({
          kind: z.literal('oidc').default('oidc'),
          url: IssuerUrl,
          clientId: z.string().min(1).max(256),
          autoJoin: z.strictObject({ claim: z.string().min(1).max(64), value: z.string().min(1).max(256) }).optional(),
        }),
      )
      .mutation(({ ctx, input: { kind: _, ...issuer } }): Promise<IssuerView> => registerIssuer(deps, ctx.caller, issuer)),
    list: procedureFor('admin', MEMBERS)
      .input(z.strictObject({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }) => listIssuers(deps, ctx.caller, input.orgId)),
    revoke: procedureFor('admin', ADMINISTRATORS)
      .input(z.strictObject({ issuerId: IssuerId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { issuerId, ...because } }) => revokeIssuer(deps, ctx.caller, issuerId, because)),
  })

export const linksRoutes = (deps: SessionsDeps & ConsentsOfPeople) =>
  router({
    list: procedureFor('any', PEOPLE)
      .input(OfMember)
      .query(({ ctx, input }): Promise<{ readonly items: readonly LinkView[] }> => listLinks(deps, ctx.caller, input.memberId)),
    revoke: procedureFor('any', PEOPLE)
      .input(z.strictObject({ linkId: LinkId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { linkId, ...because } }) => revokeLink(deps, ctx.caller, linkId, because)),
  })

export const passkeysRoutes = (deps: PasskeyDeps & SessionsDeps) =>
  router({
    list: procedureFor('any', PEOPLE)
      .input(OfMember)
      .query(({ ctx, input }): Promise<{ readonly items: readonly PasskeyView[] }> => listPasskeys(deps, ctx.caller, input.memberId)),
    revoke: procedureFor('any', PEOPLE)
      .input(z.strictObject({ passkeyId: RegisteredKeyId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { passkeyId, ...because } }) => revokePasskey(deps, ctx.caller, passkeyId, because)),
  })
