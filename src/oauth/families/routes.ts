import { z } from 'zod'
import { ConsentClientId } from '../../delegation/consents/store.js'
import { PageInput } from '../../http/paging.js'
import { procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { ConsentId, FamilyId, MemberId } from '../../protocol/ids.js'
import { listFamilies, type ManageFamiliesDeps, revokeFamily } from './manage.js'

export const familiesRoutes = (deps: ManageFamiliesDeps) =>
  router({
    list: procedureFor('introductions:write')
      .input(
        PageInput.extend({
          memberId: MemberId.optional(),
          clientId: ConsentClientId.optional(),
          consentId: ConsentId.optional(),
        }).prefault({}),
      )
      .query(({ ctx, input }) => listFamilies(deps, ctx.caller, input)),
    revoke: procedureFor('introductions:write')
      .input(z.strictObject({ familyId: FamilyId, ...REVOCATION_INPUT }))
      .mutation(({ ctx, input: { familyId, ...because } }) => revokeFamily(deps, ctx.caller, familyId, because)),
  })
