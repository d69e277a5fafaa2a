import { z } from 'zod'
import { refuse } from '../errors.js'
import { procedureFor, publicProcedure, router } from '../http/trpc/procedures.js'
import { untilRevoked } from '../http/trpc/subscription.js'
import { FeedPosition } from '../protocol/log/feed.js'
import { type StatusDeps, type SystemStatus, systemStatus } from './status.js'
import type { Tickets } from './tickets.js'
import { positionOfEventId, type WatchDeps, watchRevocations } from './watch.js'

export const revocationsRoutes = (deps: WatchDeps) =>
  router({
    /** The feed of revocations after the position `from`. A tRPC client that reconnects sends `lastEventId` instead. */
    watch: procedureFor('revocations:read')
      .input(z.strictObject({ from: FeedPosition.optional(), lastEventId: z.string().max(256).optional() }).prefault({}))
      .subscription(({ ctx, input, signal }) => {
        const from = input.lastEventId === undefined ? input.from : positionOfEventId(input.lastEventId)
        return untilRevoked(ctx, signal, (until) => watchRevocations(deps, from, until))
      }),
  })

interface SystemDeps extends StatusDeps {
  readonly tickets: Tickets
  readonly issuer: string
  readonly dev: boolean
}

export const systemRoutes = ({ tickets, issuer, dev, ...deps }: SystemDeps) =>
  router({
    info: publicProcedure.query(() => ({ issuer, dev, version: deps.version })),
    status: procedureFor('any').query(({ ctx }): Promise<SystemStatus> => systemStatus(deps, ctx.caller)),
    ticket: publicProcedure.mutation(async ({ ctx }) => {
      const caller = await ctx.findCaller()
      return tickets.issue(caller ?? refuse('invalid_token', 'this call needs a root token'))
    }),
  })
