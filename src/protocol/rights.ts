import { z } from 'zod'
import { Audience } from './ids.js'

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

/** The right to delegate further: the remaining depth, and the rights that may be passed on at most. */
export const Delegation = z.strictObject({ depth: z.int().min(1).max(5), rights: Rights.min(1) })
export type Delegation = z.infer<typeof Delegation>

/** A tool or resource. Lists of them narrow like scopes: an absent list is unrestricted, an empty list allows nothing. */
const Name = z.string().min(1).max(256)
export const Names = z.array(Name).max(MAX_NAMES)

/** Maximum lifetime of a token, and of everything else that depends on a version. */
export const MAX_TOKEN_SECONDS = 3600

/** The most that an agent may ever be given (IAM: permissions boundary). */
export const Ceiling = z.strictObject({
  rights: Rights,
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
 * A name covers itself and every name that continues it after a `/`: `file_read:github` covers `file_read:github/specific`, but not
 * `file_read:githubber`.
 */
const covers = (wide: string, narrow: string): boolean => narrow === wide || narrow.startsWith(`${wide}/`)

export const coveredBySome = (wide: readonly string[], narrow: string): boolean => wide.some((name) => covers(name, narrow))

/** True if some right of the same audience covers `narrow`. */
export const coversRight = (wide: readonly Right[], narrow: Right): boolean =>
  wide.some((right) => right.audience === narrow.audience && covers(right.scope, narrow.scope))

/** The scopes for `audience` among `rights`. */
export const scopesFor = (rights: readonly Right[], audience: Audience): Scope[] =>
  rights.filter((right) => right.audience === audience).map((right) => right.scope)

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

export function intersectRights(a: readonly Right[], b: readonly Right[]): Right[] {
  const both = [...a.filter((right) => coversRight(b, right)), ...b.filter((right) => coversRight(a, right))]
  return [...new Map(both.map((right) => [`${right.audience} ${right.scope}`, right])).values()]
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
  'admin',
] as const
export type RegistryScope = (typeof REGISTRY_SCOPES)[number]
