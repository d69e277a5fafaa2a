import { z } from 'zod'
import { refuse } from '../errors.js'
import { mayOversee } from '../http/caller.js'
import { cursorOf, PageInput, pageOf } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { OrgId } from '../protocol/ids.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import type { AuditStore } from './store.js'
import { verifyAudit } from './verify.js'

interface AuditRoutesDeps {
  readonly audit: { readonly store: AuditStore }
  readonly trustLog: Pick<ServedTrustLog, 'find' | 'epoch'>
}

export const auditRoutes = ({ audit: { store }, trustLog }: AuditRoutesDeps) =>
  router({
    /** Newest first. `action` filters after the page was read, so a page may have fewer items than `limit` before the last one. */
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId.optional(), action: z.string().max(64).optional() }).prefault({}))
      .query(async ({ ctx: { caller }, input: { orgId = caller.orgId, action, ...paging } }) => {
        if (!mayOversee(caller, orgId)) refuse('not_found', 'no such organisation')
        const page = await store.rows.find('organisation', { where: { orgIds: orgId }, order: 'down', ...cursorOf(paging) })
        return pageOf(page, ({ id, writer, number, orgIds, endsDigest, ...row }) =>
          action === undefined || row.action === action ? { auditId: id, ...row } : undefined,
        )
      }),
    /** Checks the hash chains, a bounded number of links per call. `cursor` continues after the last one. */
    verify: procedureFor('admin')
      .input(z.strictObject({ cursor: z.string().max(256).optional() }).prefault({}))
      .query(({ ctx: { caller }, input: { cursor } }) => verifyAudit(store, trustLog, caller, cursor)),
  })
