import type { OrgId } from '../protocol/ids.js'
import type { Organisation, OrganisationsStore } from './store.js'

/** The organisation, standing or not: who decides checks its handle. */
export const findOrganisation = (deps: { readonly organisations: OrganisationsStore }, id: OrgId): Promise<Organisation | undefined> =>
  deps.organisations.get(id)
