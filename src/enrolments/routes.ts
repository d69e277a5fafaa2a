import { z } from 'zod'
import { doneBy } from '../audit/done-by.js'
import { refuse } from '../errors.js'
import { KeyOwner, KeyPurpose } from '../protocol/enrolment-statement.js'
import { identitiesOf } from '../protocol/handles.js'
import { EnrolmentId, OrgId } from '../protocol/ids.js'
import { procedureFor, router } from '../transport/trpc.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { compromiseKey } from './compromise.js'
import { type EndKeyDeps, endKey } from './end.js'
import { type EnrolDeps, enrolKey, requireOfferedKey } from './enrol.js'
import { findEnrolments } from './find.js'
import { retireKey } from './retire.js'

const ById = z.strictObject({ enrolmentId: EnrolmentId })

/** A key as it travels: checked by credentials/jwk, which says what is wrong with it. */
export const OfferedJwk = z.record(z.string().max(32), z.unknown())
export const OfferedProof = z.string().min(1).max(4096)

export const enrolmentsRoutes = (deps: EnrolDeps & EndKeyDeps & OwnerDeps) =>
  router({
    enrol: procedureFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner, use: KeyPurpose, jwk: OfferedJwk, proof: OfferedProof }))
      .mutation(async ({ ctx: { caller }, input: { owner, use, jwk, proof } }) => {
        const { now } = await deps.trustLog.fence()
        const orgId = await requireOwner(deps, caller, owner)
        if ((use === 'publisher') !== OrgId.safeParse(owner).success)
          refuse('bad_input', 'publisher keys belong to organisations, client keys to agents and members', {
            faults: [{ pointer: '/use', hint: 'publisher for an organisation, client for an agent or a member' }],
          })
        const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: owner }, now)
        const audit = deps.audit.recording(doneBy(caller, 'enrolments.enrol', { orgId, subject: owner }))
        const enrolling = { owner, orgId, use, key, by: caller.by, at: now }
        const enrolled = await enrolKey(deps, enrolling, { on: identitiesOf(caller.ground.on), also: [audit] })
        return enrolled ?? refuse('conflict', 'somebody changed it meanwhile')
      }),
    list: procedureFor('agents:write')
      .input(z.strictObject({ owner: KeyOwner }))
      .query(async ({ ctx, input }) => {
        await requireOwner(deps, ctx.caller, input.owner)
        const enrolments = await findEnrolments(deps, input.owner)
        return {
          items: enrolments.map(({ id, owner, use, jkt, alg, at, handle, retiresAt }) => ({
            enrolmentId: id,
            owner,
            use,
            jkt,
            alg,
            enrolledAt: at,
            retiresAt,
            state: deps.trustLog.ended.has(handle) ? 'ended' : retiresAt === undefined ? 'active' : 'retired',
          })),
        }
      }),
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
