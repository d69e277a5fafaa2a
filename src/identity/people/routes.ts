import type { Role } from '../../http/caller.js'
import { creationFor, router } from '../../http/trpc/procedures.js'
import { issueTicket, type TicketDeps, type TicketIssued } from './ticket.js'

const PEOPLE: readonly Role[] = ['person', 'member', 'administrator', 'operator']

export const sessionsRoutes = (deps: TicketDeps) =>
  router({
    ticket: creationFor('any', PEOPLE).mutation(({ ctx }): Promise<TicketIssued> => issueTicket(deps, ctx.caller)),
  })
