import { auditDraft } from '../../audit/audit-draft.js'
import { canonical } from '../../credentials/jose/canonical-json.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { ResourceId } from '../../protocol/ids.js'
import { type ResourceDeps, requireOwn } from './authority.js'
import { scopesTouchedBy } from './granted-scopes.js'
import { requireSettings } from './register.js'
import { type Resource, ResourceSettings } from './store.js'
import { type ResourceView, viewOf } from './view.js'

/**
 * Changes settings of a resource. Absent ones stay; null removes an optional one. Issued tokens stay valid if only prose differs or scopes were
 * added. Every other change ends the version that they depend on, so clients need new ones within a second. A resource that is frozen for review gets a
 * version again, whatever is changed.
 */
export async function changeResource(
  deps: ResourceDeps,
  caller: Caller,
  id: ResourceId,
  changes: { readonly [K in keyof ResourceSettings]?: ResourceSettings[K] | null | undefined },
): Promise<ResourceView> {
  const resource = await requireOwn(deps, caller, id)
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  const merged = Object.entries({ ...settingsOf(resource), ...given }).filter(([, value]) => value !== null)
  const settings = ResourceSettings.parse(Object.fromEntries(merged))
  await requireSettings(deps, caller, settings, resource)
  const endsVersion = !isAddition(resource, settings) || deps.trustLog.ended.has(resource.ver)
  const fields = {
    ...WITHOUT_SETTINGS,
    ...settings,
    ...(endsVersion && { ver: newHandle(deps.random, 'ver') }),
    changedBy: [...new Set([...caller.identities, ...(resource.changedBy ?? [])])].slice(0, MAX_CHANGED_BY),
    changedAt: caller.barrier.now,
  }
  const ends = endsVersion ? [{ handle: resource.ver }] : []
  const draft = auditDraft(caller, 'resources.change', { subject: id })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [resource.handle, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      deps.resources.changing(
        id,
        { ver: resource.ver, changeId: resource.changeId ?? null },
        { ...fields, changeId: deps.random.token(16) },
      ),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ],
  })
  return outcome === 'committed'
    ? viewOf(deps, { ...resource, ...fields })
    : refuse('conflict', 'the resource was changed concurrently, or your own access was revoked; read it and try again')
}

const MAX_CHANGED_BY = 32

/** Optional settings that a change may remove. */
const WITHOUT_SETTINGS = { description: undefined, documentation: undefined, operatorAgentId: undefined, understands: undefined } as const

const settingsOf = ({ name, description, documentation, scopes, policy, bearer, operatorAgentId, understands }: Resource): object => ({
  name,
  description,
  documentation,
  scopes,
  policy,
  bearer,
  operatorAgentId,
  understands,
})

/**
 * True if every decision that the old settings allow is the same by the new ones: only prose and added scopes differ. An added scope that is part of an old
 * one, or includes one, is no addition, because its approval, cost and lifetime count for tokens with the old one.
 */
function isAddition(old: ResourceSettings, next: ResourceSettings): boolean {
  const decided = ({ seconds, cost = 0, approval = 'none' }: Resource['scopes'][number]) => `${seconds} ${cost} ${approval}`
  const earlier = new Set(old.scopes.map(({ scope }) => scope))
  const added = next.scopes.filter(({ scope }) => !earlier.has(scope))
  const known = new Map(next.scopes.map((one) => [one.scope, decided(one)]))
  return (
    old.scopes.every((one) => known.get(one.scope) === decided(one)) &&
    added.every(({ scope }) => scopesTouchedBy(old, [scope]).length === 0) &&
    rulesOf(old) === rulesOf(next)
  )
}

const rulesOf = ({ policy, bearer, operatorAgentId, understands = [] }: ResourceSettings): string =>
  canonical([policy, bearer, operatorAgentId ?? null, understands])
