import type { Output } from '../../api/procedures.js'
import { Code, Foreign } from '../../ui/text.js'

/** An external client under the name that it gives itself, or by its id. */
export const ClientName = ({ client: { clientId, name } }: { readonly client: Pick<Output<'clients.get'>, 'clientId' | 'name'> }) =>
  name === undefined ? <Code>{clientId}</Code> : <Foreign text={name} />
