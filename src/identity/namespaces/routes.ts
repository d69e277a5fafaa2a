import { z } from 'zod'
import { creationFor, procedureFor, router } from '../../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { OrgId } from '../../protocol/ids.js'
import { addNamespace } from './add.js'
import type { NamespacesDeps } from './authority.js'
import { checkNamespace } from './check.js'
import { listNamespaces, type NamespaceList } from './list.js'
import { removeNamespace } from './remove.js'
import { transferNamespace } from './transfer.js'

const ByName = z.strictObject({ name: z.string().min(1).max(253) })
const ADMINISTRATORS = ['administrator', 'operator'] as const

export const namespacesRoutes = (deps: NamespacesDeps) =>
  router({
    add: creationFor('admin', ADMINISTRATORS)
      .input(ByName)
      .mutation(({ ctx, input }) => addNamespace(deps, ctx.caller, input.name)),
    check: creationFor('admin', ADMINISTRATORS)
      .input(ByName)
      .mutation(({ ctx, input }) => checkNamespace(deps, ctx.caller, input.name)),
    list: procedureFor('admin')
      .input(z.strictObject({ orgId: OrgId.optional() }).prefault({}))
      .query(({ ctx, input }): Promise<NamespaceList> => listNamespaces(deps, ctx.caller, input.orgId)),
    transfer: creationFor('admin', ADMINISTRATORS)
      .input(ByName.extend({ to: OrgId.optional() }))
      .mutation(({ ctx, input }) => transferNamespace(deps, ctx.caller, input)),
    remove: procedureFor('admin', ADMINISTRATORS)
      .input(ByName.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { name, ...because } }) => removeNamespace(deps, ctx.caller, name, because)),
  })
