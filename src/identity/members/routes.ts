import { z } from 'zod'
import type { InviterDeps } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, publicProcedure, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { MemberId, OrgId } from '../../protocol/ids.js'
import type { RegisterKeyDeps } from '../keys/register.js'
import { OfferedJwk, OfferedProof } from '../keys/routes.js'
import type { ConsentsOfPeople } from '../people/people.js'
import type { ManageMemberDeps } from './authority.js'
import { changeRole } from './change-role.js'
import { getMember } from './get.js'
import { type InviteDeps, inviteMember } from './invite.js'
import { joinOrganisation, type MemberJoined } from './join.js'
import { listMembers, type MemberList } from './list.js'
import { revokeMember } from './revoke.js'
import { MemberRole } from './store.js'

const ById = z.strictObject({ memberId: MemberId })

export const membersRoutes = (deps: InviteDeps & RegisterKeyDeps & ManageMemberDeps & InviterDeps & ConsentsOfPeople) =>
  router({
    invite: creationFor('admin')
      .input(z.strictObject({ orgId: OrgId, role: MemberRole }))
      .mutation(({ ctx, input }) => inviteMember(deps, ctx.caller, input.orgId, input.role)),
    join: publicProcedure
      .input(
        z.strictObject({ code: z.string().min(1).max(128), name: z.string().trim().min(1).max(128), jwk: OfferedJwk, proof: OfferedProof }),
      )
      .mutation(({ input }): Promise<MemberJoined> => joinOrganisation(deps, input)),
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId }))
      .query(({ ctx, input }): Promise<MemberList> => listMembers(deps, ctx.caller, input)),
    get: procedureFor('admin')
      .input(ById)
      .query(({ ctx, input }) => getMember(deps, ctx.caller, input.memberId)),
    changeRole: procedureFor('admin')
      .input(ById.extend({ role: MemberRole }))
      .mutation(({ ctx, input }) => changeRole(deps, ctx.caller, input.memberId, input.role)),
    revoke: procedureFor('admin')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { memberId, ...because } }) => revokeMember(deps, ctx.caller, memberId, because)),
  })
