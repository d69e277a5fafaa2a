import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { ClientUri, ExternalClientId, OrgId } from '../../protocol/ids.js'
import { Scope } from '../../protocol/rights.js'
import { type ClientList, type ClientView, getClient, listClients } from './read.js'
import { revokeClient } from './revoke.js'
import { type AllowDeps, allowClient, disallowClient } from './rules/allow.js'
import { type ClientRulesView, getRules, type SetRulesDeps, setRules } from './rules/rules.js'
import { ExternalClientsRule } from './rules/store.js'

const MEMBERS: readonly Role[] = ['member', 'administrator', 'operator']
const ADMINISTRATORS: readonly Role[] = ['administrator', 'operator']
const ById = z.strictObject({ clientId: ExternalClientId })

export const clientsRoutes = (deps: AllowDeps & SetRulesDeps) =>
  router({
    get: procedureFor('agents:write', MEMBERS)
      .input(ById)
      .query(({ ctx, input }): Promise<ClientView> => getClient(deps, ctx.caller, input.clientId)),
    list: procedureFor('agents:write', MEMBERS)
      .input(PageInput.extend({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }): Promise<ClientList> => listClients(deps, ctx.caller, input)),
    allow: procedureFor('agents:write', ADMINISTRATORS)
      .input(
        z.strictObject({ clientId: z.union([ExternalClientId, ClientUri], 'not a client id (cli_ + 22 characters, or an https URL)') }),
      )
      .mutation(({ ctx, input }): Promise<ClientView> => allowClient(deps, ctx.caller, input.clientId)),
    disallow: procedureFor('agents:write', ADMINISTRATORS)
      .input(ById)
      .mutation(({ ctx, input }): Promise<ClientView> => disallowClient(deps, ctx.caller, input.clientId)),
    rules: procedureFor('agents:write', MEMBERS)
      .input(z.strictObject({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }): Promise<ClientRulesView> => getRules(deps, ctx.caller, input.orgId)),
    setRules: procedureFor('agents:write', ADMINISTRATORS)
      .input(z.strictObject({ externalClients: ExternalClientsRule.optional(), adminScopes: z.array(Scope).max(64).optional() }))
      .mutation(({ ctx, input }): Promise<ClientRulesView> => setRules(deps, ctx.caller, input)),
    revoke: procedureFor('agents:write', MEMBERS)
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { clientId, ...because } }) => revokeClient(deps, ctx.caller, clientId, because)),
  })
