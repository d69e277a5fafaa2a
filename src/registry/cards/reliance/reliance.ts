// What callers rely on in a card, and what of it another card takes away. Meaning is compared, not text: prose, tags, order, names of security
// schemes and everything that a card adds do not matter. Cost: linear in the card, times the alternatives of a security requirement (at most 32).
import { z } from 'zod'
import { canonical } from '../../../credentials/jose/canonical-json.js'
import { digestOfJson } from '../../../credentials/jose/digest.js'
import type { Fault } from '../../../errors.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import { isHttpBinding, urlOfInterface } from '../../../protocol/cards/interface-url.js'
import { Handle } from '../../../protocol/handles.js'
import type { Audience } from '../../../protocol/ids.js'
import { coveredBySome, Scope } from '../../../protocol/rights.js'
import type { Dependencies } from '../../../protocol/standing.js'
import { type CardDocuments, modelsOf, type ViewTier } from '../publishing/compose.js'

export const CardInterface = z.strictObject({ protocolBinding: z.string().min(1).max(256), url: z.string().min(1).max(2048) })
export type CardInterface = z.infer<typeof CardInterface>

/** The ways to meet a security requirement. Each lists the digests of the schemes that it needs, with their scopes. */
const Alternatives = z
  .array(z.array(z.strictObject({ scheme: z.string().length(43), scopes: z.array(z.string().max(256)).max(8192) })).max(8192))
  .max(32)
type Alternatives = z.infer<typeof Alternatives>

/** All that callers of one tier can rely on in a card, or the part of it that one introduction relies on. */
const Reliance = z.strictObject({
  interfaces: z.array(CardInterface).max(32),
  /** Digest of the security requirements of the interfaces. */
  security: z.string().length(43),
  scopes: z.array(Scope).max(64),
  skills: z.array(z.strictObject({ id: z.string().max(256), security: Alternatives })).max(256),
})
type Reliance = z.infer<typeof Reliance>

/** What an introduction relies on in the card of its target, as of its approval. */
export const GrantedReliance = Reliance.extend({
  publication: z.string().max(22),
  /** The public version of the card at the approval. */
  version: z.int().min(1).optional(),
  /** Versions of the card at the approval. As long as they are the current ones, all that is relied on holds. */
  versions: z.array(Handle).max(2),
})
export type GrantedReliance = z.infer<typeof GrantedReliance>

/** What callers of a tier can rely on in the current card of an agent. */
export interface CardReliance extends Reliance {
  readonly audience: Audience
  readonly publication: string
  readonly version: number
  readonly yankedVersions: readonly number[]
  /** The first interface that a client can call. */
  readonly endpoint?: string | undefined
  /** The versions of the connection and of the tier. */
  readonly versions: readonly Handle[]
  /** Handle of the registered key that signed the card; empty for an unsigned card. */
  readonly signer: readonly Handle[]
  /** The versions and the key. */
  readonly dependencies: Dependencies
}

/** What callers of each tier can rely on in a card: nothing, if the parts of the tier alone are not a valid card. */
export function relianceIn(card: CardDocuments): Readonly<Record<ViewTier, Reliance>> {
  const models = modelsOf(card)
  const ofPublic = relianceOn(models.public)
  const at = (tier: ViewTier) => (models[tier] === models.public ? ofPublic : relianceOn(models[tier]))
  return { public: ofPublic, authenticated: at('authenticated'), introduced: at('introduced') }
}

function relianceOn(card: CardModel | undefined): Reliance {
  if (!card) return { interfaces: [], security: digestOfJson([]), scopes: [], skills: [] }
  const digests = new Map(Object.entries(card.securitySchemes).map(([name, scheme]) => [name, digestOfScheme(scheme)]))
  return {
    interfaces: card.supportedInterfaces.map(({ protocolBinding, url }) => ({ protocolBinding, url })),
    security: digestOfJson(alternativesOf(card.securityRequirements, digests).map(canonical).sort()),
    scopes: scopesOf(card),
    skills: card.skills.map(({ id, securityRequirements }) => ({ id, security: alternativesOf(securityRequirements, digests) })),
  }
}

/** The scopes of all OAuth2 schemes that the card declares, sorted. Invalid scope names (RFC 6749 §3.3) are left out. */
export function scopesOf({ securitySchemes }: Pick<CardModel, 'securitySchemes'>): Scope[] {
  const names = Object.values(securitySchemes).flatMap(({ oauth2SecurityScheme }) =>
    Object.values(oauth2SecurityScheme?.flows ?? {}).flatMap((flow) => Object.keys(flow?.scopes ?? {})),
  )
  return [...new Set(names)]
    .map((name) => Scope.safeParse(name))
    .flatMap((parsed) => (parsed.success ? [parsed.data] : []))
    .sort()
}

/** Without a requirement, one alternative needs nothing. */
const alternativesOf = (requirements: CardModel['securityRequirements'], digests: ReadonlyMap<string, string>): Alternatives =>
  requirements.length === 0 ? [[]] : requirements.map(({ schemes }) => alternativeOf(Object.entries(schemes), digests))

function alternativeOf(schemes: readonly [string, { list: string[] }][], digests: ReadonlyMap<string, string>): Alternatives[number] {
  const scopes = new Map<string, readonly string[]>()
  for (const [name, { list }] of schemes) {
    const digest = digests.get(name) ?? digestOfJson(name)
    scopes.set(digest, [...(scopes.get(digest) ?? []), ...list])
  }
  const needs = [...scopes].map(([scheme, list]) => ({ scheme, scopes: [...new Set(list)].sort() }))
  return needs.sort((a, b) => (a.scheme < b.scheme ? -1 : 1))
}

/** The scopes that a scheme offers are compared one by one; prose and members without a value say nothing. */
const WITHOUT_MEANING = new Set(['description', 'bearerFormat', 'scopes'])
const digestOfScheme = (scheme: CardModel['securitySchemes'][string]): string =>
  digestOfJson(
    JSON.parse(JSON.stringify(scheme, (name, value) => (WITHOUT_MEANING.has(name) || value === false || value === '' ? undefined : value))),
  )

/** What `current` lacks of the interfaces that are relied on and their security. */
export const connectionLosses = (relied: Reliance, current: Reliance): Fault[] => [
  ...relied.interfaces
    .filter((one) => findInterface(current, one) === undefined)
    .map(({ protocolBinding, url }) => ({
      pointer: '/interface',
      hint: `the card no longer has the interface ${protocolBinding} at ${url}`,
    })),
  ...(relied.security === current.security ? [] : [{ pointer: '/interface', hint: 'the security requirements of the card have changed' }]),
]

/** What `current` lacks of the scopes and skills that are relied on. */
export const offerLosses = ({ scopes, skills }: Reliance, current: Reliance): Fault[] => [
  ...scopes.flatMap((scope, i) =>
    coveredBySome(current.scopes, scope) ? [] : [{ pointer: `/scopes/${i}`, hint: `the card no longer offers the scope ${scope}` }],
  ),
  ...skills.flatMap(({ id, security }, i) => {
    const pointer = `/skills/${i}`
    const skill = current.skills.find((one) => one.id === id)
    if (!skill) return [{ pointer, hint: `the card no longer has the skill ${id}` }]
    return isNoWeaker(skill.security, security) ? [] : [{ pointer, hint: `the security requirements of the skill ${id} are weaker` }]
  }),
]

/** True if each new alternative contains one of the old ones. */
const isNoWeaker = (next: Alternatives, old: Alternatives): boolean =>
  next.every((one) => {
    const has = new Map(one.map(({ scheme, scopes }) => [scheme, new Set(scopes)]))
    return old.some((needs) => needs.every(({ scheme, scopes }) => has.has(scheme) && scopes.every((scope) => has.get(scheme)?.has(scope))))
  })

/** Finds the interface of a card with the same binding and URL. */
export const findInterface = ({ interfaces }: Reliance, wanted: CardInterface): CardInterface | undefined =>
  interfaces.find((one) => one.protocolBinding === wanted.protocolBinding && hrefOf(one) === hrefOf(wanted))

const hrefOf = (one: CardInterface): string => urlOfInterface(one)?.href ?? one.url

interface Named {
  readonly interface?: CardInterface | undefined
  readonly scopes: readonly Scope[]
  readonly skills: readonly string[]
}

/**
 * The part of a card that an introduction relies on: the interface that it names, or else the first that a client can call, the granted
 * scopes, and the skills that it names. An interface or skill that the card does not have is left out.
 */
export function relianceFor(card: CardReliance, named: Named): GrantedReliance {
  const { interfaces, security, skills, endpoint, publication, version, versions } = card
  const chosen =
    (named.interface && findInterface(card, named.interface)) ??
    interfaces.find((one) => one.url === endpoint && isHttpBinding(one)) ??
    interfaces.find(isHttpBinding) ??
    interfaces[0]
  return {
    interfaces: chosen ? [chosen] : [],
    security,
    scopes: [...named.scopes],
    skills: skills.filter(({ id }) => named.skills.includes(id)),
    publication,
    version,
    versions: [...versions],
  }
}
