import { z } from 'zod'
import { refuse } from '../errors.js'
import { type Caller, mayOversee } from '../http/caller.js'
import { PageInput } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import type { Random } from '../lib/random.js'
import { OrgId } from '../protocol/ids.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import type { Audit } from './audit.js'
import { exportAudit } from './export.js'
import { AUDIT_FILTER, type AuditReader } from './filter.js'
import { listAudit } from './list.js'
import { getRetention, MAX_DAYS, type RetentionView, setRetention } from './retention.js'
import type { AuditStore } from './store.js'
import { verifyAudit } from './verify.js'

interface AuditRoutesDeps {
  readonly audit: Audit & { readonly store: AuditStore }
  readonly random: Pick<Random, 'token'>
  readonly trustLog: Pick<ServedTrustLog, 'find' | 'epoch' | 'now' | 'commit'>
  readonly orgOfOwner: (owner: OrgId) => Promise<OrgId | undefined>
  /** Every action that an audit row may name. */
  readonly auditActions: ReadonlySet<string>
}

export const auditRoutes = (deps: AuditRoutesDeps) => {
  const { trustLog, auditActions } = deps
  const { store } = deps.audit
  return router({
    list: procedureFor('admin')
      .input(PageInput.extend({ orgId: OrgId.optional(), ...AUDIT_FILTER }).prefault({}))
      .query(({ ctx: { caller }, input: { orgId, ...input } }) => listAudit(store, auditActions, { ...readerOf(caller, orgId), ...input })),
    export: procedureFor('admin')
      .input(
        PageInput.extend({
          limit: z.int().min(1).max(MAX_EXPORTED).default(MAX_EXPORTED),
          orgId: OrgId.optional(),
          ...AUDIT_FILTER,
        }).prefault({}),
      )
      .query(({ ctx: { caller }, input: { orgId, ...input } }) =>
        exportAudit(store, auditActions, { ...readerOf(caller, orgId), ...input }),
      ),
    getRetention: procedureFor('admin')
      .input(z.strictObject({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx: { caller }, input }): Promise<RetentionView> => getRetention(store, trustLog, requireReadable(caller, input.orgId))),
    setRetention: procedureFor('admin')
      .input(z.strictObject({ orgId: OrgId.optional(), days: Days, minimumDays: Days }))
      .mutation(async ({ ctx: { caller }, input: { orgId, ...input } }): Promise<RetentionView> => {
        const known = await deps.orgOfOwner(requireReadable(caller, orgId))
        return setRetention(deps, caller, known ?? refuse('not_found', 'no such organisation'), input)
      }),
    /** Checks the hash chains, a bounded number of links per call. `cursor` continues after the last one. */
    verify: procedureFor('admin')
      .input(z.strictObject({ cursor: z.string().max(256).optional() }).prefault({}))
      .query(({ ctx: { caller }, input: { cursor } }) => verifyAudit(store, trustLog, caller, cursor)),
  })
}

const Days = z.int().min(1).max(MAX_DAYS).nullish()

/** Rows in one response of audit.export. */
const MAX_EXPORTED = 500

/** The organisation whose rows are read; default: the caller's own. */
const requireReadable = (caller: Caller, orgId = caller.orgId): OrgId =>
  mayOversee(caller, orgId) ? orgId : refuse('not_found', 'no such organisation')

const readerOf = (caller: Caller, orgId?: OrgId): AuditReader => ({
  orgId: requireReadable(caller, orgId),
  reader: caller.role === 'operator' ? 'everyone' : caller.orgId,
})
