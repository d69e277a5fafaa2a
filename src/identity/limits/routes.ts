import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { OrgId } from '../../protocol/ids.js'
import { type GetLimitsDeps, getLimits } from './get.js'
import { PartialLimits } from './limits.js'
import { type SetLimitsDeps, setLimits } from './set.js'
import { type LimitsUsage, limitsUsage, type UsageDeps } from './usage.js'

const ROLES: readonly Role[] = ['administrator', 'operator']
const ByOrganisation = z.strictObject({ organisation: OrgId.optional() })

export const limitsRoutes = (deps: GetLimitsDeps & SetLimitsDeps & UsageDeps) =>
  router({
    get: procedureFor('admin', ROLES)
      .input(ByOrganisation.prefault({}))
      .query(({ ctx, input }) => getLimits(deps, ctx.caller, input.organisation)),
    set: procedureFor('admin', ROLES)
      .input(ByOrganisation.extend({ limits: PartialLimits }))
      .mutation(({ ctx, input }) => setLimits(deps, ctx.caller, input)),
    usage: procedureFor('admin', ROLES)
      .input(PageInput.extend({ organisation: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }): Promise<LimitsUsage> => limitsUsage(deps, ctx.caller, input)),
  })
