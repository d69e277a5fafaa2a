import { z } from 'zod'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../protocol/end-reason.js'
import { KeyUse } from './key-store.js'
import { listSigningKeys } from './list.js'
import { type RevokeSigningKeyDeps, revokeSigningKey } from './revoke.js'
import { type RotateKeyDeps, rotateSigningKey } from './rotate.js'

const operators = procedureFor('admin', ['operator'])

/** tRPC procedures for the registry's own signing keys. Operators only. */
export const signingKeysRoutes = (deps: RotateKeyDeps & RevokeSigningKeyDeps) =>
  router({
    list: operators.query(({ ctx }) => listSigningKeys(deps, ctx.caller)),
    rotate: operators.input(z.strictObject({ use: KeyUse })).mutation(({ ctx, input }) => rotateSigningKey(deps, ctx.caller, input.use)),
    revoke: operators
      .input(z.strictObject({ kid: z.string().length(43), ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { kid, ...because } }) => revokeSigningKey(deps, ctx.caller, kid, because)),
  })
