import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { OrgId } from '../../protocol/ids.js'
import { CeilingInput } from '../agents/agent.js'
import type { FindAgentDeps } from '../agents/find.js'
import { listLevels } from './list.js'
import { removeLevel } from './remove.js'
import { type LevelsDeps, setLevel } from './set.js'
import { LevelName } from './store.js'

const ADMINISTRATORS: readonly Role[] = ['administrator', 'operator']
const OfOrganisation = z.strictObject({ orgId: OrgId.optional() })
const ByName = OfOrganisation.extend({ name: LevelName })

export const levelsRoutes = (deps: LevelsDeps & FindAgentDeps) =>
  router({
    set: procedureFor('agents:write', ADMINISTRATORS)
      .input(ByName.extend({ ceiling: CeilingInput }))
      .mutation(({ ctx, input }) => setLevel(deps, ctx.caller, input)),
    list: procedureFor('agents:write', ['member', ...ADMINISTRATORS])
      .input(OfOrganisation.prefault({}))
      .query(({ ctx, input }) => listLevels(deps, ctx.caller, input)),
    remove: procedureFor('agents:write', ADMINISTRATORS)
      .input(ByName)
      .mutation(({ ctx, input }) => removeLevel(deps, ctx.caller, input)),
  })
