import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { MemberId, SessionId } from '../../protocol/ids.js'
import { endAllSessions, endSession, listSessions, type SessionsDeps } from './sessions.js'
import { issueTicket, type TicketDeps, type TicketIssued } from './ticket.js'

const PEOPLE: readonly Role[] = ['person', 'member', 'administrator', 'operator']

/** Default: the caller. */
const OfMember = z.strictObject({ memberId: MemberId.optional() }).prefault({})

export const sessionsRoutes = (deps: TicketDeps & SessionsDeps) =>
  router({
    ticket: creationFor('any', PEOPLE).mutation(({ ctx }): Promise<TicketIssued> => issueTicket(deps, ctx.caller)),
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
