import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { OrgId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

export const Organisation = z.strictObject({
  id: OrgId,
  name: z.string().min(1).max(128),
  /** Handle of kind `org:`. */
  handle: Handle,
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int().min(0),
  /** `operators` marks the organisation that runs the registry. */
  role: z.enum(['operators', 'tenant']),
})
export type Organisation = z.infer<typeof Organisation>

export type OrganisationsStore = Collection<Organisation>

export const ORGANISATIONS: OwnedSpec<Organisation> = {
  name: 'organisations',
  schema: Organisation,
  key: 'id',
  indexes: { role: { fields: ['role', 'createdAt'] }, grantedBy: { fields: ['grantedBy', 'createdAt'] } },
  ownedBy: ['id'],
}

export const organisationsStore = ({ storage }: { readonly storage: Storage }): OrganisationsStore => storage.collection(ORGANISATIONS)
