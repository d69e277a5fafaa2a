import { z } from 'zod'
import { refuse } from '../errors.js'
import { mayOversee } from '../http/caller.js'
import { PageInput } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { OrgId } from '../protocol/ids.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import { listAudit } from './list.js'
import type { AuditStore } from './store.js'
import { verifyAudit } from './verify.js'

interface AuditRoutesDeps {
  readonly audit: { readonly store: AuditStore }
  readonly trustLog: Pick<ServedTrustLog, 'find' | 'epoch'>
  /** Every action that an audit row may name. */
  readonly auditActions: ReadonlySet<string>
}

export const auditRoutes = ({ audit: { store }, trustLog, auditActions }: AuditRoutesDeps) =>
  router({
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId.optional(), action: z.string().max(64).optional() }).prefault({}))
      .query(async ({ ctx: { caller }, input: { orgId = caller.orgId, ...input } }) => {
        if (!mayOversee(caller, orgId)) refuse('not_found', 'no such organisation')
        return listAudit(store, auditActions, { orgId, ...input })
      }),
    /** Checks the hash chains, a bounded number of links per call. `cursor` continues after the last one. */
    verify: procedureFor('admin')
      .input(z.strictObject({ cursor: z.string().max(256).optional() }).prefault({}))
      .query(({ ctx: { caller }, input: { cursor } }) => verifyAudit(store, trustLog, caller, cursor)),
  })
