import { z } from 'zod'
import { publicProcedure, router } from '../../http/trpc/procedures.js'
import type { SearchResult } from '../../protocol/search.js'
import { SearchInput } from './filters.js'
import { type SearchDeps, searchCards } from './search.js'
import { type Suggestions, suggestWords } from './suggest.js'

export const discoveryRoutes = (deps: SearchDeps) =>
  router({
    search: publicProcedure
      .input(SearchInput.prefault({}))
      .query(
        async ({ ctx, input }): Promise<SearchResult> => searchCards(deps, { caller: await ctx.findCaller(), address: ctx.address }, input),
      ),
    suggest: publicProcedure
      .input(z.strictObject({ text: z.string().min(1).max(256), limit: z.int().min(1).max(20).default(8) }))
      .query(
        async ({ ctx, input }): Promise<Suggestions> => suggestWords(deps, { caller: await ctx.findCaller(), address: ctx.address }, input),
      ),
  })
