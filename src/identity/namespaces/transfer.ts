import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { OrgId } from '../../protocol/ids.js'
import type { NamespacesDeps } from './authority.js'
import { findNamespace, isProved } from './find.js'
import { requireNamespaceName } from './name.js'
import type { Namespace } from './store.js'
import { type NamespaceView, namespaceView } from './view.js'

const OFFER_SECONDS = 30 * 86_400

/**
 * Offers a namespace to another organisation; without `to`, withdraws the offer. The other organisation takes it over when it adds and proves the
 * name itself; until then nothing changes.
 * An operator may offer a namespace whose proof has ended or whose organisation was revoked: a person reviews that the domain has a new owner.
 */
export async function transferNamespace(
  deps: NamespacesDeps,
  caller: Caller,
  { name: text, to }: { readonly name: string; readonly to?: OrgId | undefined },
): Promise<NamespaceView> {
  const name = requireNamespaceName(deps, text)
  const namespace = await findNamespace(deps, name)
  if (!namespace || !(isAdminOf(caller, namespace.orgId) || caller.role === 'operator')) return refuse('not_found', `no namespace ${name}`)
  if (!isAdminOf(caller, namespace.orgId) && (await isInUse(deps, namespace)))
    return refuse('forbidden', 'only an administrator of the organisation that has proved the namespace may offer it')
  if (to === namespace.orgId)
    return refuse('bad_input', 'the organisation has the namespace already', {
      faults: [{ pointer: '/to', hint: 'name another organisation' }],
    })
  const target = to === undefined ? undefined : await deps.organisations.get(to)
  if (to !== undefined && (!target || deps.trustLog.ended.has(target.handle)))
    return refuse('not_found', 'no such organisation', { faults: [{ pointer: '/to', hint: 'expected the id of an active organisation' }] })
  const offer = { offeredTo: to, offeredUntil: to === undefined ? undefined : caller.barrier.now + OFFER_SECONDS }
  const draft = auditDraft(caller, 'namespaces.transfer', {
    orgId: namespace.orgId,
    subject: name,
    ...(to !== undefined && { otherOrgId: to }),
  })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    dependsOn: [...identitiesOf(caller.dependencies.handles), ...(target ? [target.handle] : [])],
    operations: [
      deps.namespaces.changing(namespace.id, { ver: namespace.ver, orgId: namespace.orgId }, offer),
      deps.audit.recording(draft),
    ],
  })
  return outcome === 'committed'
    ? namespaceView(deps, { ...namespace, ...offer }, caller.orgId)
    : refuse('conflict', 'the namespace was changed, or the organisation or your access was revoked concurrently; try again')
}

/** The organisation stands and so does its proof. */
async function isInUse(deps: NamespacesDeps, namespace: Namespace): Promise<boolean> {
  const organisation = await deps.organisations.get(namespace.orgId)
  return organisation !== undefined && !deps.trustLog.ended.has(organisation.handle) && isProved(deps, namespace)
}
