import { z } from 'zod'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { OrgId } from '../../protocol/ids.js'
import { type CreateOrganisationDeps, createOrganisation } from './create.js'
import { type GetOrganisationDeps, getOrganisation } from './get.js'
import { listOrganisations } from './list.js'
import { type RevokeOrganisationDeps, revokeOrganisation } from './revoke.js'

const ById = z.strictObject({ orgId: OrgId })

export const organisationsRoutes = (deps: CreateOrganisationDeps & RevokeOrganisationDeps & GetOrganisationDeps) =>
  router({
    create: creationFor('admin', ['operator'])
      .input(z.strictObject({ name: z.string().trim().min(1).max(128) }))
      .mutation(({ ctx, input }) => createOrganisation(deps, ctx.caller, input.name)),
    get: procedureFor('admin')
      .input(ById)
      .query(({ ctx, input }) => getOrganisation(deps, ctx.caller, input.orgId)),
    list: procedureFor('admin')
      .input(PageInput.prefault({}))
      .query(({ ctx, input }) => listOrganisations(deps, ctx.caller, input)),
    revoke: procedureFor('admin', ['operator'])
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { orgId, ...because } }) => revokeOrganisation(deps, ctx.caller, orgId, because)),
  })
