import { z } from 'zod'
import { ACTING_ROLES } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { untilRevoked } from '../../http/trpc/subscription.js'
import { ApprovalId, IntroductionId } from '../../protocol/ids.js'
import { Delegation, Names, Scope } from '../../protocol/rights.js'
import type { ReadInboxDeps } from '../inbox/read.js'
import type { PartiesDeps } from '../pages/parties.js'
import { approve, cancel, deny, withdraw } from './decide.js'
import { getDescribedApproval } from './get.js'
import { listApprovals } from './list.js'
import { type ApprovalDeps, requestApproval } from './request.js'
import { Note } from './store.js'
import { newestOfInbox, watchApprovals } from './watch.js'

const AnyId = z.union([ApprovalId, IntroductionId], 'not the id of an approval or an introduction (apr_ or int_ + 22 characters)')
const ById = z.strictObject({ approvalId: ApprovalId })
const After = z.int().min(0).default(0)

export const approvalsRoutes = (deps: ApprovalDeps & ReadInboxDeps & PartiesDeps) =>
  router({
    request: creationFor('introductions:write')
      .input(z.strictObject({ bindingToken: z.string().min(1).max(32_768), purpose: z.string().trim().min(1).max(512) }))
      .mutation(({ ctx, input }) => requestApproval(deps, ctx.caller, input)),
    get: procedureFor('introductions:write')
      .input(z.strictObject({ approvalId: AnyId }))
      .query(({ ctx, input }) => getDescribedApproval(deps, ctx.caller, input.approvalId)),
    list: procedureFor('introductions:write', ACTING_ROLES)
      .input(
        PageInput.extend({ role: z.enum(['from', 'to']).default('to'), state: z.enum(['pending', 'all']).default('pending') }).prefault({}),
      )
      .query(({ ctx, input }) => listApprovals(deps, ctx.caller, input)),
    approve: procedureFor('introductions:write')
      .input(
        z.strictObject({
          approvalId: AnyId,
          narrow: z
            .strictObject({
              scopes: z.array(Scope).min(1).max(64).optional(),
              tools: Names.optional(),
              resources: Names.optional(),
              delegation: Delegation.nullable().optional(),
            })
            .optional(),
        }),
      )
      .mutation(({ ctx, input: { approvalId, narrow = {} } }) => approve(deps, ctx.caller, approvalId, narrow)),
    deny: procedureFor('introductions:write')
      .input(z.strictObject({ approvalId: AnyId, note: Note.optional() }))
      .mutation(({ ctx, input }) => deny(deps, ctx.caller, input.approvalId, input.note)),
    cancel: procedureFor('introductions:write')
      .input(ById)
      .mutation(({ ctx, input }) => cancel(deps, ctx.caller, input.approvalId)),
    withdraw: procedureFor('introductions:write')
      .input(ById.extend({ note: Note.optional() }))
      .mutation(({ ctx, input }) => withdraw(deps, ctx.caller, input.approvalId, input.note)),
    watch: procedureFor('introductions:write', ACTING_ROLES)
      .input(
        z
          .strictObject({
            after: z.union([After, z.literal('newest')]),
            lastEventId: z
              .string()
              .regex(/^\d{1,15}$/)
              .optional(),
          })
          .prefault({}),
      )
      .subscription(async ({ ctx, input: { after, lastEventId }, signal }) => {
        // Read before the subscription is reported as started: every later notification is delivered.
        const position = after === 'newest' ? await newestOfInbox(deps, ctx.caller) : after
        const from = lastEventId === undefined ? position : Number(lastEventId)
        return untilRevoked(ctx, signal, (until) => watchApprovals(deps, ctx.caller, from, until))
      }),
  })
