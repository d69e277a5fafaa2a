import { z } from 'zod'
import { refuse } from '../errors.js'
import { openProcedure, router } from '../transport/trpc.js'
import { type SearchDeps, searchCards } from './search.js'

export const discoveryRoutes = (deps: SearchDeps) =>
  router({
    /** For anybody; a token with `discovery:read` shows more. */
    search: openProcedure
      .input(
        z
          .strictObject({
            text: z.string().max(512).optional(),
            skill: z.string().min(1).max(256).optional(),
            tags: z.array(z.string().min(1).max(256)).max(16).optional(),
            limit: z.int().min(1).max(100).default(20),
            cursor: z.string().min(1).max(1024).optional(),
          })
          .prefault({}),
      )
      .query(async ({ ctx, input }) => {
        const caller = await ctx.findCaller()
        if (caller && !caller.scopes.some((scope) => scope === 'discovery:read'))
          refuse('insufficient_scope', 'this call needs the scope discovery:read')
        return deps.trustLog.fenced(({ now }) => searchCards(deps, caller, input, now))
      }),
  })
