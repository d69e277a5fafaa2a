import { z } from 'zod'
import { OrgId } from '../../../protocol/ids.js'
import { Scope } from '../../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../../storage/storage.js'

/** `none`: people consent to no external client. `admitted`: only to those that the organisation registered, admitted or allowed. `any`: to each. */
export const ExternalClientsRule = z.enum(['none', 'admitted', 'any'])
export type ExternalClientsRule = z.infer<typeof ExternalClientsRule>

/** The rules of an organisation about the clients that may act for its people. An absent member has its default. */
const StoredClientRules = z.strictObject({
  orgId: OrgId,
  externalClients: ExternalClientsRule.optional(),
  /** Scopes that an administrator must approve. */
  adminScopes: z.array(Scope).max(64).optional(),
})
type StoredClientRules = z.infer<typeof StoredClientRules>

export type ClientRulesStore = Collection<StoredClientRules>

export const CLIENT_RULES: OwnedSpec<StoredClientRules> = {
  name: 'client-rules',
  schema: StoredClientRules,
  key: 'orgId',
  indexes: {},
  ownedBy: ['orgId'],
}

export const clientRulesStore = ({ storage }: { readonly storage: Storage }): ClientRulesStore => storage.collection(CLIENT_RULES)
