import { coveredBySome, intersectNames, type Scope } from '../../protocol/rights.js'
import type { Resource } from './store.js'

/**
 * The scopes of a resource that granted ones touch: those that they cover and those that cover them. A token with `files` may do what `files/delete`
 * allows, so approval, cost and lifetime of both count.
 */
export const scopesTouchedBy = ({ scopes }: Pick<Resource, 'scopes'>, granted: readonly Scope[]): Resource['scopes'] =>
  scopes.filter(({ scope }) => intersectNames<Scope>([scope], granted).length > 0)

/** The words of a resource about a scope: of the scope itself, or else of one that covers it. */
export const describedAs = (scopes: Resource['scopes'], wanted: Scope): string | undefined =>
  (scopes.find(({ scope }) => scope === wanted) ?? scopes.find(({ scope }) => coveredBySome([scope], wanted)))?.words

/** The scopes of which a token needs no approval. An external client cannot ask for an approval. */
export const scopesWithoutApproval = (resource: Pick<Resource, 'scopes'>, scopes: readonly Scope[]): readonly Scope[] =>
  scopes.filter((scope) => scopesTouchedBy(resource, [scope]).every(({ approval }) => approval !== 'organisation'))
