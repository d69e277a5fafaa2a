import { z } from 'zod'
import { Audience, OrgId } from './ids.js'
import { isPlainName } from './names.js'

export const MAX_SCOPE_LENGTH = 128

/** A single scope token (RFC 6749 §3.3). */
export const Scope = z
  .string()
  .min(1)
  .max(MAX_SCOPE_LENGTH)
  .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'not a scope (printable ASCII without space, quotation mark and backslash)')
  .brand<'Scope'>()
export type Scope = z.infer<typeof Scope>

/** A scope has a meaning only together with its audience, so a right is the pair. */
export const Right = z.strictObject({ audience: Audience, scope: Scope })
export type Right = z.infer<typeof Right>

/** Maximum length of a list of rights, scopes, tools or resources. */
export const MAX_NAMES = 64

const Rights = z.array(Right).max(MAX_NAMES)

/** The most that a root token may be exchanged for. */
export const ExchangeRights = Rights.min(1)

/** Permission to delegate: the remaining depth, and the most that may be delegated. */
export const Delegation = z.strictObject({ depth: z.int().min(1).max(5), rights: Rights.min(1) })
export type Delegation = z.infer<typeof Delegation>

/** A tool or resource. Lists of them narrow like scopes: an absent list is unrestricted, an empty list allows nothing. */
const Name = z
  .string()
  .min(1)
  .max(256)
  .refine(isPlainName, 'not a plain name (no empty, "." or ".." segment and no control or bidirectional character, in any encoding)')
export const Names = z.array(Name).max(MAX_NAMES)

/**
 * Restrictions of a token that only its audience can enforce. A token has one only if its audience says that it understands it.
 * `max_calls`: the number of calls that the token can be used for.
 */
export const Restrictions = z.array(z.enum(['max_calls'])).max(1)
export type Restrictions = z.infer<typeof Restrictions>

/** Maximum number of calls that a token can be limited to. */
export const MAX_CALLS = 1000

/** Maximum lifetime of a token, and of everything else that depends on a version. */
export const MAX_TOKEN_SECONDS = 3600

/**
 * The audience of a right in a ceiling: one URI, any agent of this registry, or any agent of one organisation. There is no pattern by tag or
 * skill: a target could choose to match it.
 */
const CeilingAudience = z.union(
  [Audience, z.strictObject({ anyAgent: z.literal(true) }), z.strictObject({ organisation: OrgId })],
  'expected the audience of an agent, { "anyAgent": true } or { "organisation": "org_…" }',
)
export type CeilingAudience = z.infer<typeof CeilingAudience>
export const CeilingRight = z.strictObject({ audience: CeilingAudience, scope: Scope })
export type CeilingRight = z.infer<typeof CeilingRight>

/** The organisation of an agent of this registry, by its audience. Undefined for every other audience. It never changes. */
export type OrgOf = (audience: Audience) => OrgId | undefined

/** The most that an agent may ever be given (IAM: permissions boundary). */
export const Ceiling = z.strictObject({
  rights: z.array(CeilingRight).max(MAX_NAMES),
  tools: Names.optional(),
  resources: Names.optional(),
  tokenSeconds: z.int().min(1).max(MAX_TOKEN_SECONDS),
  delegationDepth: z.int().min(0).max(5),
})
export type Ceiling = z.infer<typeof Ceiling>

/** The rights that an introduction grants at its one audience. */
export const Bounds = z.strictObject({
  scopes: z.array(Scope).min(1).max(MAX_NAMES),
  tools: Names.optional(),
  resources: Names.optional(),
  delegation: Delegation.optional(),
})
export type Bounds = z.infer<typeof Bounds>

/**
 * A name covers itself and every plain name that continues it after a `/`: `file_read:github` covers `file_read:github/specific`, but
 * neither `file_read:githubber` nor `file_read:github/../gitlab`.
 */
const covers = (wide: string, narrow: string): boolean => narrow === wide || (narrow.startsWith(`${wide}/`) && isPlainName(narrow))

export const coveredBySome = (wide: readonly string[], narrow: string): boolean => wide.some((name) => covers(name, narrow))

/** True if every audience that `narrow` stands for is one that `wide` stands for. */
function coversAudience(wide: CeilingAudience, narrow: CeilingAudience, orgOf: OrgOf): boolean {
  if (typeof wide === 'string') return wide === narrow
  if ('anyAgent' in wide) return typeof narrow !== 'string' || orgOf(narrow) !== undefined
  const organisation = typeof narrow === 'string' ? orgOf(narrow) : 'organisation' in narrow ? narrow.organisation : undefined
  return organisation === wide.organisation
}

/** Rights of tokens and introductions have no patterns, so they need no organisations. */
const NO_ORGANISATIONS: OrgOf = () => undefined

/** True if some right covers `narrow`. */
export const coversRight = (wide: readonly CeilingRight[], narrow: CeilingRight, orgOf: OrgOf = NO_ORGANISATIONS): boolean =>
  wide.some((right) => coversAudience(right.audience, narrow.audience, orgOf) && covers(right.scope, narrow.scope))

/** The scopes for `audience` among `rights`. */
export const scopesFor = (rights: readonly CeilingRight[], audience: Audience, orgOf: OrgOf = NO_ORGANISATIONS): Scope[] => [
  ...new Set(rights.filter((right) => coversAudience(right.audience, audience, orgOf)).map((right) => right.scope)),
]

/** The names that both lists allow. If a name of one list covers a name of the other, the result has the narrower name. */
export function intersectNames<T extends string>(a: readonly T[], b: readonly T[]): T[] {
  const both = [...a.filter((name) => coveredBySome(b, name)), ...b.filter((name) => coveredBySome(a, name))]
  return [...new Set(both)]
}

/** Like intersectNames, but undefined means unrestricted. */
export function narrowNames<T extends string>(a: readonly T[] | undefined, b: readonly T[] | undefined): readonly T[] | undefined {
  if (a === undefined) return b
  return b === undefined ? a : intersectNames(a, b)
}

export function intersectRights(a: readonly CeilingRight[], b: readonly CeilingRight[], orgOf: OrgOf): CeilingRight[] {
  const both = [...a.filter((right) => coversRight(b, right, orgOf)), ...b.filter((right) => coversRight(a, right, orgOf))]
  return [...new Map(both.map((right) => [nameOfRight(right), right])).values()]
}

/** Equal rights have equal names. */
export const nameOfRight = ({ audience, scope }: CeilingRight): string => `${JSON.stringify(audience)} ${scope}`

/** True if `ceiling` allows nothing that `wide` does not allow. */
export function isWithinCeiling(ceiling: Ceiling, wide: Ceiling, orgOf: OrgOf): boolean {
  const areWithin = (names: readonly string[] | undefined, allowed: readonly string[] | undefined): boolean =>
    allowed === undefined || (names?.every((name) => coveredBySome(allowed, name)) ?? false)
  return (
    ceiling.rights.every((right) => coversRight(wide.rights, right, orgOf)) &&
    areWithin(ceiling.tools, wide.tools) &&
    areWithin(ceiling.resources, wide.resources) &&
    ceiling.tokenSeconds <= wide.tokenSeconds &&
    ceiling.delegationDepth <= wide.delegationDepth
  )
}

/** `a b` → ['a', 'b'] (RFC 6749 §3.3); undefined if a part is not a scope, appears twice, or there are more than MAX_NAMES. */
export function parseScope(text: string): Scope[] | undefined {
  const parts = text.split(' ')
  const scopes = parts.map((part) => Scope.safeParse(part)).flatMap((parsed) => (parsed.success ? [parsed.data] : []))
  return scopes.length === parts.length && new Set(scopes).size === scopes.length && scopes.length <= MAX_NAMES ? scopes : undefined
}
export const formatScope = (scopes: readonly Scope[]): string => [...scopes].sort().join(' ')

/** The scopes of the registry itself; their audience is the issuer URL. */
export const REGISTRY_SCOPES = [
  'cards:write',
  'agents:write',
  'discovery:read',
  'introductions:write',
  'tasks:write',
  'revocations:read',
  'tokens:exchange',
  'admin',
] as const
export type RegistryScope = (typeof REGISTRY_SCOPES)[number]

/** The scope without which a root token cannot be exchanged. No other scope implies it. */
export const EXCHANGE_SCOPE: RegistryScope = 'tokens:exchange'
