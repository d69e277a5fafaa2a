import { z } from 'zod'
import type { EnrolDeps } from '../enrolments/enrol.js'
import { OfferedJwk, OfferedProof } from '../enrolments/routes.js'
import { MemberId, OrgId } from '../protocol/ids.js'
import type { GiverDeps } from '../transport/caller.js'
import { PageInput } from '../transport/paging.js'
import { openProcedure, procedureFor, router } from '../transport/trpc.js'
import type { ManageMemberDeps } from './authority.js'
import { changeRole } from './change-role.js'
import { endMember } from './end.js'
import { type InviteDeps, invite } from './invite.js'
import { join } from './join.js'
import { listMembers } from './list.js'
import { MemberRole } from './store.js'

const ById = z.strictObject({ memberId: MemberId })

export const membersRoutes = (deps: InviteDeps & EnrolDeps & ManageMemberDeps & GiverDeps) =>
  router({
    invite: procedureFor('admin')
      .input(z.strictObject({ orgId: OrgId, role: MemberRole }))
      .mutation(({ ctx, input }) => invite(deps, ctx.caller, input.orgId, input.role)),
    join: openProcedure
      .input(
        z.strictObject({ code: z.string().min(1).max(128), name: z.string().trim().min(1).max(128), jwk: OfferedJwk, proof: OfferedProof }),
      )
      .mutation(({ input }) => join(deps, input)),
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId }))
      .query(({ ctx, input }) => listMembers(deps, ctx.caller, input)),
    changeRole: procedureFor('admin')
      .input(ById.extend({ role: MemberRole }))
      .mutation(({ ctx, input }) => changeRole(deps, ctx.caller, input.memberId, input.role)),
    end: procedureFor('admin')
      .input(ById)
      .mutation(({ ctx, input }) => endMember(deps, ctx.caller, input.memberId)),
  })
