import type { OrgId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { countNewest, type Quota } from '../limits/quota.js'
import { namespaceIdOf, withParents } from './name.js'
import type { Namespace, NamespaceClaim, NamespacesStore } from './store.js'

export interface FindNamespaceDeps {
  readonly namespaces: NamespacesStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** The record of a name; undefined if no organisation has ever proved it. */
export async function findNamespace({ namespaces }: Pick<FindNamespaceDeps, 'namespaces'>, name: string): Promise<Namespace | undefined> {
  const namespace = await namespaces.get(namespaceIdOf(name))
  return namespace?.name === name ? namespace : undefined
}

export const claimIdOf = (orgId: OrgId, name: string): string => `${orgId} ${name}`

export const findClaim = (
  { namespaces }: Pick<FindNamespaceDeps, 'namespaces'>,
  orgId: OrgId,
  name: string,
): Promise<NamespaceClaim | undefined> => namespaces.claims.get(claimIdOf(orgId, name))

/** True as long as the proof of the name stands. */
export const isProved = ({ trustLog }: Pick<FindNamespaceDeps, 'trustLog'>, { ver, endedAt }: Namespace): boolean =>
  endedAt === undefined && !trustLog.ended.has(ver)

/** The namespace if its proof stands. Call after a read barrier. */
export const findProved = ({ namespaces, trustLog }: FindNamespaceDeps, name: string): Promise<Namespace | undefined> =>
  namespaces.proved.getOrRead(name, async () => {
    const value = await findNamespace({ namespaces }, name)
    return value && isProved({ trustLog }, value) ? { value, dependsOn: [value.ver] } : undefined
  })

/**
 * The namespace of the organisation that covers the host: the host itself, or the nearest parent that was proved by a TXT record. A name of another
 * organisation on the way up, or one that looks like it, ends the search: readers know what is below it as that organisation's.
 */
export async function findCovering(deps: FindNamespaceDeps, orgId: OrgId, host: string): Promise<Namespace | undefined> {
  for (const name of withParents(host)) {
    const known = await deps.namespaces.get(namespaceIdOf(name))
    if (known && known.orgId !== orgId) return undefined
    if (known?.name === name && isProved(deps, known) && (name === host || known.method === 'txt')) return known
  }
  return undefined
}

/** Maximum number of names of an organisation: claimed, proved, or proved once. */
const MAX_NAMESPACES = 100

export const namespacesQuota = ({ namespaces }: Pick<FindNamespaceDeps, 'namespaces'>, orgId: OrgId): Quota => ({
  id: `namespaces ${orgId}`,
  orgId,
  limit: MAX_NAMESPACES,
  refusalText: `this organisation has ${MAX_NAMESPACES} namespaces, the maximum; claims expire after 7 days`,
  count: async (atMost) => {
    const page = { where: { orgId }, limit: 100 }
    const all = () => true
    const [claimed, known] = await Promise.all([
      countNewest((after) => namespaces.claims.find('organisation', { ...page, ...(after && { after }) }), all, atMost),
      countNewest((after) => namespaces.find('organisation', { ...page, ...(after && { after }) }), all, atMost),
    ])
    return claimed + known
  },
})
