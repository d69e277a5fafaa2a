import { z } from 'zod'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { KeyUse } from './key-store.js'
import { listKeys } from './list.js'
import { type EndKeyDeps, endKey } from './revoke.js'
import { type RotateKeyDeps, rotateKey } from './rotate.js'

const operators = procedureFor('admin', ['operator'])

/** The registry's own keys. */
export const keysRoutes = (deps: RotateKeyDeps & EndKeyDeps) =>
  router({
    list: operators.query(() => listKeys(deps)),
    rotate: operators.input(z.strictObject({ use: KeyUse })).mutation(({ ctx, input }) => rotateKey(deps, ctx.caller, input.use)),
    end: operators.input(z.strictObject({ kid: z.string().length(43) })).mutation(({ ctx, input }) => endKey(deps, ctx.caller, input.kid)),
  })
