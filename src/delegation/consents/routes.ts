import { z } from 'zod'
import { PageInput } from '../../http/paging.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { Audience, ConsentId, MemberId } from '../../protocol/ids.js'
import { Delegation, MAX_NAMES, Names, Scope } from '../../protocol/rights.js'
import { narrowConsent } from './narrow.js'
import { type DescribedConsent, getConsent, listConsents } from './read.js'
import { revokeConsent } from './revoke.js'
import { ConsentClientId } from './store.js'

const ById = z.strictObject({ consentId: ConsentId })

export const consentsRoutes = (deps: Parameters<typeof listConsents>[0]) =>
  router({
    list: procedureFor('introductions:write')
      .input(
        PageInput.extend({
          memberId: MemberId.optional(),
          client: ConsentClientId.optional(),
          audience: Audience.optional(),
          usedSince: z.int().min(0).describe('Epoch seconds: only consents that were used at this time or later.').optional(),
        }).prefault({}),
      )
      .query(({ ctx, input }) => listConsents(deps, ctx.caller, input)),
    get: procedureFor('introductions:write')
      .input(ById)
      .query(({ ctx, input }): Promise<DescribedConsent> => getConsent(deps, ctx.caller, input.consentId)),
    narrow: procedureFor('introductions:write')
      .input(
        ById.extend({
          scopes: z.array(Scope).min(1).max(MAX_NAMES).optional(),
          tools: Names.optional(),
          resources: Names.optional(),
          delegation: Delegation.nullable().optional(),
          until: z.int().min(0).describe('Epoch seconds.').optional(),
        }),
      )
      .mutation(({ ctx, input: { consentId, ...narrowing } }) => narrowConsent(deps, ctx.caller, consentId, narrowing)),
    revoke: procedureFor('introductions:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { consentId, ...because } }) => revokeConsent(deps, ctx.caller, consentId, because)),
  })
