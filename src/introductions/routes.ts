import { tracked } from '@trpc/server'
import { z } from 'zod'
import { refuse } from '../errors.js'
import { type ReadInboxDeps, readInbox, watchInbox } from '../inbox/read.js'
import type { InboxItem } from '../inbox/store.js'
import { AgentId, IntroductionId, TaskId } from '../protocol/ids.js'
import { Delegation, Names, Scope } from '../protocol/rights.js'
import type { Caller } from '../transport/caller.js'
import { PageInput, pageOf, placeOf } from '../transport/paging.js'
import { procedureFor, router } from '../transport/trpc.js'
import { approveIntroduction } from './approve.js'
import { denyIntroduction } from './deny.js'
import { endIntroduction } from './end.js'
import type { IntroductionDeps } from './grant.js'
import { requestIntroduction } from './request.js'
import { requireIntroduction, viewOf } from './view.js'

const ById = z.strictObject({ introductionId: IntroductionId })
const Seconds = z
  .int()
  .min(60)
  .max(366 * 86_400)
const After = z.int().min(0).default(0)

const agentOf = (caller: Caller): AgentId => {
  const parsed = AgentId.safeParse(caller.id)
  return parsed.success ? parsed.data : refuse('forbidden', 'agents have an inbox, people list introductions')
}
const itemOf = ({ seq, at, kind, introductionId, from, to, purpose, scopes }: InboxItem) => ({
  seq,
  at,
  kind,
  introductionId,
  from,
  to,
  purpose,
  scopes,
})

export const introductionsRoutes = (deps: IntroductionDeps & ReadInboxDeps) =>
  router({
    request: procedureFor('introductions:write')
      .input(
        z.strictObject({
          to: AgentId,
          purpose: z.string().trim().min(1).max(512),
          scopes: z.array(Scope).min(1).max(64),
          tools: Names.optional(),
          resources: Names.optional(),
          delegation: Delegation.optional(),
          taskId: TaskId.optional(),
          seconds: Seconds.optional(),
          skills: z.array(z.string().min(1).max(256)).max(64).optional(),
        }),
      )
      .mutation(({ ctx, input }) => requestIntroduction(deps, ctx.caller, input)),
    get: procedureFor('introductions:write')
      .input(ById)
      .query(({ ctx, input }) =>
        deps.trustLog.fenced(async ({ now }) => viewOf(deps, await requireIntroduction(deps, ctx.caller, input.introductionId), now)),
      ),
    /** Newest first. An agent's own, or those of one's organisation, asked (`from`) or received (`to`). */
    list: procedureFor('introductions:write')
      .input(PageInput.extend({ role: z.enum(['from', 'to']).default('to') }).prefault({}))
      .query(({ ctx: { caller }, input: { role, ...paging } }) =>
        deps.trustLog.fenced(async ({ now }) => {
          const agent = AgentId.safeParse(caller.id)
          const index = agent.success ? role : (`${role}Org` as const)
          const where = { [index]: agent.success ? agent.data : caller.orgId }
          const page = await deps.introductions.collection.find(index, { where, order: 'down', ...placeOf(paging) })
          return pageOf(page, (one) => (one.hidden === undefined ? viewOf(deps, one, now) : undefined))
        }),
      ),
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
    deny: procedureFor('introductions:write')
      .input(ById.extend({ note: z.string().max(512).optional() }))
      .mutation(({ ctx, input }) => denyIntroduction(deps, ctx.caller, input.introductionId, input.note)),
    end: procedureFor('introductions:write')
      .input(ById)
      .mutation(({ ctx, input }) => endIntroduction(deps, ctx.caller, input.introductionId)),
    /** What the agent was told after position `after`. */
    inbox: procedureFor('introductions:write')
      .input(z.strictObject({ after: After, limit: z.int().min(1).max(100).default(100) }).prefault({}))
      .query(async ({ ctx, input: { after, limit } }) => {
        const items = await readInbox(deps, agentOf(ctx.caller), after, limit)
        return { items: items.map(itemOf), last: items.at(-1)?.seq ?? after }
      }),
    /** The same, as it comes. Every value is tracked by its position, so a client resumes where it was. */
    watch: procedureFor('introductions:write')
      .input(
        z
          .strictObject({
            after: After,
            lastEventId: z
              .string()
              .regex(/^\d{1,15}$/)
              .optional(),
          })
          .prefault({}),
      )
      .subscription(async function* ({ ctx, input, signal }) {
        const alive = ctx.alive(ctx.caller)
        const until = signal ? AbortSignal.any([signal, alive]) : alive
        const from = input.lastEventId === undefined ? input.after : Number(input.lastEventId)
        for await (const item of watchInbox(deps, agentOf(ctx.caller), from, until)) yield tracked(String(item.seq), itemOf(item))
      }),
  })
