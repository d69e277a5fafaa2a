import { z } from 'zod'
import { PageInput } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../protocol/end-reason.js'
import { Audience, ClientId, IntroductionId, TaskId, TokenId } from '../protocol/ids.js'
import { type LineageDeps, lineageOf } from './lineage.js'
import { type ListTokensDeps, listTokens } from './list.js'
import { type RevokeTokenDeps, revokeToken } from './revoke.js'

const LIST_INPUT = PageInput.extend({ alive: z.boolean().default(false) })

export const tokensRoutes = (deps: LineageDeps & ListTokensDeps & RevokeTokenDeps) =>
  router({
    lineage: procedureFor('tasks:write')
      .input(z.union([z.strictObject({ taskId: TaskId }), z.strictObject({ tokenId: TokenId })]))
      .query(({ ctx, input }) => lineageOf(deps, ctx.caller, input)),
    list: procedureFor('tasks:write')
      .input(
        z.union([
          LIST_INPUT.extend({ client: ClientId }),
          LIST_INPUT.extend({ task: TaskId }),
          LIST_INPUT.extend({ introduction: IntroductionId }),
          LIST_INPUT.extend({ audience: Audience }),
        ]),
      )
      .query(({ ctx, input: { limit, cursor, alive, ...filter } }) => listTokens(deps, ctx.caller, filter, { limit, cursor, alive })),
    revoke: procedureFor('tasks:write')
      .input(z.strictObject({ tokenId: TokenId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { tokenId, ...because } }) => revokeToken(deps, ctx.caller, tokenId, because)),
  })
