import { z } from 'zod'
import type { Role } from '../../http/caller.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { CeilingInput } from '../agents/agent.js'
import { GrantType } from '../clients/metadata/metadata.js'
import { type GrantIssued, issueGrant, type RegistrationGrantsDeps } from './issue.js'
import { type GrantList, listGrants } from './list.js'
import { revokeGrant } from './revoke.js'
import { MAX_USES, RegistrationGrant } from './store.js'

const MEMBERS: readonly Role[] = ['member', 'administrator', 'operator']
const Host = z
  .string()
  .max(253)
  .regex(/^(\[[0-9a-f:.]+\]|[a-z0-9-]+(\.[a-z0-9-]+)*)$/, 'not a host name in lower case')

export const registrationsRoutes = (deps: RegistrationGrantsDeps) =>
  router({
    issue: creationFor('agents:write', MEMBERS)
      .input(
        z.strictObject({
          ceiling: CeilingInput.prefault({}),
          uses: z.int().min(1).max(MAX_USES).default(1),
          expiresAt: z.int().min(0),
          grantTypes: z
            .array(GrantType)
            .min(1)
            .max(4)
            .refine((types) => new Set(types).size === types.length, 'a grant type is repeated'),
          redirectHosts: z.array(Host).min(1).max(16).optional(),
        }),
      )
      .mutation(({ ctx, input }): Promise<GrantIssued> => issueGrant(deps, ctx.caller, input)),
    list: procedureFor('agents:write', MEMBERS)
      .input(PageInput.prefault({}))
      .query(({ ctx, input }): Promise<GrantList> => listGrants(deps, ctx.caller, input)),
    revoke: procedureFor('agents:write', MEMBERS)
      .input(z.strictObject({ registrationId: RegistrationGrant.shape.id }))
      .mutation(({ ctx, input }) => revokeGrant(deps, ctx.caller, input.registrationId)),
  })
