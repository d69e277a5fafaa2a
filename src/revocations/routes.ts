import { z } from 'zod'
import { refuse } from '../errors.js'
import { openProcedure, procedureFor, router } from '../http/trpc/procedures.js'
import { FeedPosition } from '../protocol/log/feed.js'
import type { Tickets } from './tickets.js'
import { placeOfId, type WatchDeps, watchRevocations } from './watch.js'

export const revocationsRoutes = (deps: WatchDeps) =>
  router({
    /** The feed of endings. `from`, or where a client reconnects its last event id: everything after it, in order, none lost. */
    watch: procedureFor('revocations:read')
      .input(z.strictObject({ from: FeedPosition.optional(), lastEventId: z.string().max(256).optional() }).prefault({}))
      .subscription(async function* ({ ctx, input, signal }) {
        const alive = ctx.alive(ctx.caller)
        const from = input.lastEventId === undefined ? input.from : placeOfId(input.lastEventId)
        yield* watchRevocations(deps, from, signal ? AbortSignal.any([signal, alive]) : alive)
      }),
  })

export interface SystemDeps {
  readonly tickets: Tickets
  readonly issuer: string
  readonly dev: boolean
  readonly version: string
}

export const systemRoutes = ({ tickets, issuer, dev, version }: SystemDeps) =>
  router({
    info: openProcedure.query(() => ({ issuer, dev, version })),
    ticket: openProcedure.mutation(async ({ ctx }) => {
      const caller = await ctx.findCaller()
      return tickets.issue(caller ?? refuse('invalid_token', 'this call needs a root token'))
    }),
  })
