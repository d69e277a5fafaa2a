import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { ExternalClientId, OrgId } from '../../protocol/ids.js'
import { type ClientList, type ClientView, getClient, listClients } from './read.js'
import { type RevokeClientDeps, revokeClient } from './revoke.js'

const MEMBERS: readonly Role[] = ['member', 'administrator', 'operator']
const ById = z.strictObject({ clientId: ExternalClientId })

export const clientsRoutes = (deps: RevokeClientDeps) =>
  router({
    get: procedureFor('agents:write', MEMBERS)
      .input(ById)
      .query(({ ctx, input }): Promise<ClientView> => getClient(deps, ctx.caller, input.clientId)),
    list: procedureFor('agents:write', MEMBERS)
      .input(PageInput.extend({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }): Promise<ClientList> => listClients(deps, ctx.caller, input)),
    revoke: procedureFor('agents:write', MEMBERS)
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { clientId, ...because } }) => revokeClient(deps, ctx.caller, clientId, because)),
  })
