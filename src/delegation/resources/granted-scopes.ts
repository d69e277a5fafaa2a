import { coveredBySome, type Scope } from '../../protocol/rights.js'
import type { Resource } from './store.js'

/** The scopes of the resource that cover the granted ones. */
export const grantedScopes = ({ scopes }: Resource, granted: readonly Scope[]): Resource['scopes'] =>
  scopes.filter(({ scope }) => granted.some((one) => coveredBySome([scope], one)))

/** The scopes of which a token needs no approval. An external client cannot ask for an approval. */
export const scopesWithoutApproval = (resource: Resource, scopes: readonly Scope[]): readonly Scope[] =>
  scopes.filter((scope) => grantedScopes(resource, [scope]).every(({ approval }) => approval !== 'organisation'))
