import { z } from 'zod'
import { publicProcedure, router } from '../../http/trpc/procedures.js'
import { type SearchDeps, type SearchResult, searchCards } from './search.js'

export const discoveryRoutes = (deps: SearchDeps) =>
  router({
    search: publicProcedure
      .input(
        z
          .strictObject({
            text: z.string().max(512).optional(),
            skill: z.string().min(1).max(256).optional(),
            tags: z.array(z.string().min(1).max(256)).max(16).optional(),
            includeNonconformant: z.boolean().optional(),
            limit: z.int().min(1).max(100).default(20),
            cursor: z.string().min(1).max(1024).optional(),
          })
          .prefault({}),
      )
      .query(
        async ({ ctx, input }): Promise<SearchResult> => searchCards(deps, { caller: await ctx.findCaller(), address: ctx.address }, input),
      ),
  })
