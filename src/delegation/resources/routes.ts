import { z } from 'zod'
import { ACTING_ROLES } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { OrgId, ResourceId } from '../../protocol/ids.js'
import type { ResourceDeps } from './authority.js'
import { changeResource } from './change.js'
import { confirmResource, proveResource } from './prove.js'
import { getResource, listResources } from './read.js'
import { registerResource } from './register.js'
import { revokeResource } from './revoke.js'
import { ResourceInput } from './store.js'

const ById = z.strictObject({ resourceId: ResourceId })
const { shape } = ResourceInput

export const resourcesRoutes = (deps: ResourceDeps) =>
  router({
    register: creationFor('agents:write', ACTING_ROLES)
      .input(ResourceInput.extend({ uri: z.string().min(1).max(2048).describe('Its resource identifier (RFC 8707), an https URI.') }))
      .mutation(({ ctx, input }) => registerResource(deps, ctx.caller, input)),
    change: procedureFor('agents:write')
      .input(
        ById.extend({
          name: shape.name.optional(),
          description: shape.description.nullable(),
          documentation: shape.documentation.nullable(),
          scopes: shape.scopes.optional(),
          policy: shape.policy.unwrap().optional(),
          bearer: shape.bearer.unwrap().optional(),
          operatorAgentId: shape.operatorAgentId.nullable(),
          understands: shape.understands,
        }),
      )
      .mutation(({ ctx, input: { resourceId, ...changes } }) => changeResource(deps, ctx.caller, resourceId, changes)),
    get: procedureFor('agents:write')
      .input(ById)
      .query(({ ctx, input }) => getResource(deps, ctx.caller, input.resourceId)),
    list: procedureFor('agents:write')
      .input(PageInput.extend({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }) => listResources(deps, ctx.caller, input)),
    prove: creationFor('agents:write')
      .input(ById)
      .mutation(({ ctx, input }) => proveResource(deps, ctx.caller, input.resourceId)),
    confirm: procedureFor('admin', ['operator'])
      .input(ById)
      .mutation(({ ctx, input }) => confirmResource(deps, ctx.caller, input.resourceId)),
    revoke: procedureFor('agents:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { resourceId, ...because } }) => revokeResource(deps, ctx.caller, resourceId, because)),
  })
