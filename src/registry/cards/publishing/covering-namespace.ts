import { type FindNamespaceDeps, findCovering } from '../../../identity/namespaces/find.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { OrgId } from '../../../protocol/ids.js'
import type { Card } from '../card-record.js'
import { hostOf } from '../view.js'
import { endpointOf } from './public-urls.js'

/** The proved namespace of the organisation that covers the endpoint of its card. */
export async function coveringNamespace(
  deps: FindNamespaceDeps & { readonly dev: boolean },
  orgId: OrgId,
  publicModel: CardModel,
): Promise<Card['namespace']> {
  const endpoint = endpointOf(publicModel, deps)
  const namespace = endpoint === undefined ? undefined : await findCovering(deps, orgId, hostOf(endpoint))
  return namespace && { name: namespace.name, ver: namespace.ver }
}
