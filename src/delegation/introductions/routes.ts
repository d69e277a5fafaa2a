import { z } from 'zod'
import { ACTING_ROLES } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { untilRevoked } from '../../http/trpc/subscription.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { AgentId, IntroductionId, TargetId, TaskId } from '../../protocol/ids.js'
import { Delegation, Names, Scope } from '../../protocol/rights.js'
import { CardInterface } from '../../registry/cards/reliance/reliance.js'
import { newestPosition, type ReadInboxDeps } from '../inbox/read.js'
import { approveIntroduction } from './approve.js'
import { Capability } from './capability/store.js'
import { denyIntroduction } from './deny.js'
import { getIntroduction } from './get.js'
import { readIntroductionsInbox, requireInbox } from './inbox.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { listIntroductions } from './list.js'
import { narrowIntroduction } from './narrow.js'
import { requestIntroduction } from './request.js'
import { revokeIntroduction } from './revoke.js'
import { watchIntroductions } from './watch.js'

const ById = z.strictObject({ introductionId: IntroductionId })
const Seconds = z
  .int()
  .min(60)
  .max(366 * 86_400)
const After = z.int().min(0).default(0)
const LastEventId = z.string().regex(/^\d{1,15}$/)

export const introductionsRoutes = (deps: IntroductionDeps & ReadInboxDeps) =>
  router({
    request: creationFor('introductions:write')
      .input(
        z.strictObject({
          from: AgentId.describe('For members: the agent of their organisation that the introduction is for.').optional(),
          to: z
            .union([TargetId, z.url().max(512)])
            .optional()
            .describe('The id of an agent or a resource, or the URI of a resource.'),
          capability: Capability.describe('Id of a skill or a tag, in place of `to`; the skill may be non-public.').optional(),
          purpose: z.string().trim().min(1).max(512),
          scopes: z.array(Scope).min(1).max(64).optional(),
          tools: Names.optional(),
          resources: Names.optional(),
          delegation: Delegation.optional(),
          taskId: TaskId.optional(),
          seconds: Seconds.optional(),
          interface: CardInterface.optional(),
          skills: z.array(z.string().min(1).max(256)).max(256).optional(),
        }),
      )
      .mutation(({ ctx, input }) => requestIntroduction(deps, ctx.caller, input)),
    get: procedureFor('introductions:write')
      .input(ById)
      .query(({ ctx, input }) => getIntroduction(deps, ctx.caller, input.introductionId)),
    list: procedureFor('introductions:write', ACTING_ROLES)
      .input(
        PageInput.extend({
          role: z.enum(['from', 'to']).default('to'),
          agentId: AgentId.describe('Only those that this agent lists itself.').optional(),
          state: z.enum(['all', 'pending', 'granted']).default('all').describe('`granted` has those that need another approval, too.'),
        }).prefault({}),
      )
      .query(({ ctx, input }) => listIntroductions(deps, ctx.caller, input)),
    approve: procedureFor('introductions:write')
      .input(
        ById.extend({
          scopes: z.array(Scope).min(1).max(64).optional(),
          tools: Names.optional(),
          resources: Names.optional(),
          delegation: Delegation.nullable().optional(),
          seconds: Seconds.optional(),
        }),
      )
      .mutation(({ ctx, input: { introductionId, ...narrowing } }) => approveIntroduction(deps, ctx.caller, introductionId, narrowing)),
    narrow: procedureFor('introductions:write')
      .input(
        ById.extend({
          scopes: z.array(Scope).min(1).max(64).optional(),
          tools: Names.optional(),
          resources: Names.optional(),
          delegation: Delegation.nullable().optional(),
          until: z.int().min(0).describe('Epoch seconds.').optional(),
        }),
      )
      .mutation(({ ctx, input: { introductionId, ...narrowing } }) => narrowIntroduction(deps, ctx.caller, introductionId, narrowing)),
    deny: procedureFor('introductions:write')
      .input(ById.extend({ note: z.string().max(512).optional() }))
      .mutation(({ ctx, input }) => denyIntroduction(deps, ctx.caller, input.introductionId, input.note)),
    revoke: procedureFor('introductions:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { introductionId, ...because } }) => revokeIntroduction(deps, ctx.caller, introductionId, because)),
    inbox: procedureFor('introductions:write')
      .input(z.strictObject({ after: After, limit: z.int().min(1).max(100).default(100) }).prefault({}))
      .query(({ ctx, input }) => readIntroductionsInbox(deps, ctx.caller, input)),
    watch: procedureFor('introductions:write')
      .input(z.strictObject({ after: z.union([After, z.literal('newest')]), lastEventId: LastEventId.optional() }).prefault({}))
      .subscription(async ({ ctx, input: { after, lastEventId }, signal }) => {
        // Read before the subscription is reported as started: every later notification is delivered.
        const position = after === 'newest' ? await newestPosition(deps, requireInbox(ctx.caller)) : after
        const from = lastEventId === undefined ? position : Number(lastEventId)
        return untilRevoked(ctx, signal, (until) => watchIntroductions(deps, ctx.caller, from, until))
      }),
  })
