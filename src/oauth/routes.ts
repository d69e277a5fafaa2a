import { z } from 'zod'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../protocol/end-reason.js'
import { TaskId, TokenId } from '../protocol/ids.js'
import { type LineageDeps, lineageOf } from './lineage.js'
import { type RevokeTokenDeps, revokeToken } from './revoke.js'

export const tokensRoutes = (deps: LineageDeps & RevokeTokenDeps) =>
  router({
    lineage: procedureFor('tasks:write')
      .input(z.union([z.strictObject({ taskId: TaskId }), z.strictObject({ tokenId: TokenId })]))
      .query(({ ctx, input }) => lineageOf(deps, ctx.caller, input)),
    revoke: procedureFor('tasks:write')
      .input(z.strictObject({ tokenId: TokenId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { tokenId, ...because } }) => revokeToken(deps, ctx.caller, tokenId, because)),
  })
