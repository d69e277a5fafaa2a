import type { Output } from '../../api/procedures.js'
import { NameOf } from '../../ui/names/name.js'

/** An external client under the name that it gives itself, or by its id. */
export const ClientName = ({ client: { clientId, name } }: { readonly client: Pick<Output<'clients.get'>, 'clientId' | 'name'> }) => (
  <NameOf name={name} id={clientId} />
)
