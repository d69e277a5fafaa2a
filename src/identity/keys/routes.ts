import { z } from 'zod'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { EnrolmentId } from '../../protocol/ids.js'
import { KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import type { OwnerDeps } from './authority.js'
import { compromiseKey } from './compromise.js'
import { listEnrolments } from './list.js'
import { type EnrolDeps, enrol } from './register.js'
import { retireKey } from './retire.js'
import { type EndKeyDeps, endKey } from './revoke.js'

const ById = z.strictObject({ enrolmentId: EnrolmentId })

/** A key as it travels: checked by credentials/jwk, which says what is wrong with it. */
export const OfferedJwk = z.record(z.string().max(32), z.unknown())
export const OfferedProof = z.string().min(1).max(4096)

export const enrolmentsRoutes = (deps: EnrolDeps & EndKeyDeps & OwnerDeps) =>
  router({
    enrol: procedureFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner, use: KeyPurpose, jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(({ ctx, input }) => enrol(deps, ctx.caller, input)),
    list: procedureFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner }))
      .query(({ ctx, input }) => listEnrolments(deps, ctx.caller, input.owner)),
    retire: procedureFor('agents:write')
      .input(
        ById.extend({
          overlapSeconds: z
            .int()
            .min(0)
            .max(90 * 86_400)
            .optional(),
        }),
      )
      .mutation(({ ctx, input }) => retireKey(deps, ctx.caller, input.enrolmentId, input.overlapSeconds)),
    end: procedureFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => endKey(deps, ctx.caller, input.enrolmentId)),
    compromise: procedureFor('agents:write')
      .input(ById.extend({ since: z.int().min(0) }))
      .mutation(({ ctx, input }) => compromiseKey(deps, ctx.caller, input.enrolmentId, input.since)),
  })
