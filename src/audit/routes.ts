import { z } from 'zod'
import { refuse } from '../errors.js'
import { isAdminOf } from '../http/caller.js'
import { PageInput, pageOf, placeOf } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { OrgId } from '../protocol/ids.js'
import type { AuditStore } from './store.js'
import { verifyAudit } from './verify.js'

export interface AuditRoutesDeps {
  readonly audit: { readonly store: AuditStore }
}

export const auditRoutes = ({ audit: { store } }: AuditRoutesDeps) =>
  router({
    /** Newest first. With `action`, rows of other actions are passed over: a page may be short of items before the last. */
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId.optional(), action: z.string().max(64).optional() }).prefault({}))
      .query(async ({ ctx: { caller }, input: { orgId = caller.orgId, action, ...paging } }) => {
        if (!isAdminOf(caller, orgId)) refuse('not_found', 'no such organisation')
        const page = await store.rows.find('organisation', { where: { orgs: orgId }, order: 'down', ...placeOf(paging) })
        return pageOf(page, ({ id, writer, n, orgs, ...row }) =>
          action === undefined || row.action === action ? { auditId: id, ...row } : undefined,
        )
      }),
    /** Whether rows still fit the chains that link them; `cursor` goes on with the next stretch. */
    verify: procedureFor('admin')
      .input(z.strictObject({ cursor: z.string().max(256).optional() }).prefault({}))
      .query(({ ctx: { caller }, input: { cursor } }) => verifyAudit(store, caller, cursor)),
  })
