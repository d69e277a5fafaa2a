// The rights of a token for an audience: what every source allows and the request asks for.
import { requireMaxNames } from '../../delegation/introductions/decide/narrow.js'
import { beyondCeiling } from '../../delegation/introductions/decide/requestable.js'
import { type Fault, refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { Audience } from '../../protocol/ids.js'
import {
  type Bounds,
  type Ceiling,
  type CeilingRight,
  coveredBySome,
  coversRight,
  intersectNames,
  type OrgOf,
  parseScope,
  type Scope,
  scopesFor,
} from '../../protocol/rights.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import type { ExchangeRequest } from './exchange-request.js'
import { type Narrowing, narrowNamesTo, requestedScopes } from './narrowing.js'
import type { Subject } from './subject.js'
import type { Target } from './target.js'

/** A request for a token, with the audience that was found. */
type RequestForTarget = Narrowing &
  Pick<ExchangeRequest, 'delegation'> & { readonly audience: Audience; readonly target: Pick<Target, 'id'> }

interface Rights {
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
}

/** Current ceilings of all agents in the chain of the new token, from the subject to the presenter. */
const ceilingsOf = ({ client }: AuthenticatedClient, { kind, ceilings }: Subject): readonly Ceiling[] =>
  kind === 'root' ? [client.ceiling] : [...ceilings, client.ceiling]

/**
 * Decides the scopes, tools and resources: the requested ones, within the ceilings, the subject token and the introduction. The requested
 * delegation rights must be within them too.
 */
export function decideRights(
  authenticated: AuthenticatedClient,
  subject: Subject,
  granted: readonly Bounds[],
  request: RequestForTarget & { readonly orgOf: OrgOf },
  form: OAuthForm,
): Rights {
  const { claims } = subject
  const steps = [...granted, ...subject.steps.map(({ bounds }) => bounds)]
  const ceilings = ceilingsOf(authenticated, subject)
  const sources = sourcesOf(ceilings, subject)
  const allowed = [
    ...granted.map(({ scopes }) => scopes),
    ...sources.map(({ rights }) => scopesFor(rights, request.audience, request.orgOf)),
  ].reduce(intersectNames)
  requireInCeiling(authenticated, granted, request, form)
  const scopes = requestedScopes(form, allowed)
  const tools = narrowNamesTo(
    [claims.allowed_tools, ...ceilings.map((ceiling) => ceiling.tools), ...steps.map(({ tools }) => tools)],
    request.tools,
    request.requiredTools,
    'tools',
  )
  const resources = narrowNamesTo(
    [claims.allowed_resources, ...ceilings.map((ceiling) => ceiling.resources), ...steps.map(({ resources }) => resources)],
    request.resources,
    request.requiredResources,
    'resources',
  )
  requireMaxNames(scopes, tools, resources)
  // Without `delegation` no delegation is allowed: `requireDepth` refuses it.
  requireDelegationRights(request, [
    ...sources,
    ...granted.flatMap(({ delegation }, i) => (delegation ? [{ name: GRANTED[i] ?? '', rights: delegation.rights }] : [])),
  ])
  return { scopes, tools, resources }
}

/** A requested scope that was granted, and that the ceiling of the client itself lacks, gets a refusal that says how to add it. */
function requireInCeiling(
  { client }: AuthenticatedClient,
  granted: readonly Bounds[],
  { audience, orgOf }: Parameters<typeof decideRights>[3],
  form: OAuthForm,
): void {
  const own = scopesFor(client.ceiling.rights, audience, orgOf)
  const offered = granted.map(({ scopes }) => scopes).reduce(intersectNames)
  const requested = form.get('scope')
  // A request without `scope` is for what is left, if anything is
  const wanted = requested !== undefined ? (parseScope(requested) ?? []) : intersectNames(own, offered).length > 0 ? [] : offered
  const lacking = wanted.filter((scope) => coveredBySome(offered, scope) && !coveredBySome(own, scope))
  if (lacking.length === 0) return
  const isOfPerson = client.kind === 'agent' && client.memberId !== undefined
  refuse('invalid_scope', isOfPerson ? beyondConsent(lacking) : beyondCeiling(client.id, audience, lacking))
}

const beyondConsent = (scopes: readonly Scope[]): string =>
  `the person has not consented to ${scopes.join(' ')} for this audience; connect the device again and request more: credence agent connect`

/** Names of the grants for the step of a token, in this order. */
const GRANTED = ['the introduction', 'the consent', 'the authorization of the person'] as const

/** A set of rights that bounds what a token may have. */
interface Source {
  readonly name: string
  readonly rights: readonly CeilingRight[]
}

function sourcesOf(ceilings: readonly Ceiling[], { claims, kind, steps }: Subject): readonly Source[] {
  const nameOf = (i: number) =>
    i === ceilings.length - 1 ? 'your permission ceiling' : 'the permission ceiling of an earlier agent of the chain'
  return [
    ...ceilings.map(({ rights }, i) => ({ name: nameOf(i), rights })),
    ...(kind === 'root' ? [] : [{ name: 'the delegation of the subject token', rights: claims.delegation?.rights ?? [] }]),
    ...steps.map(({ bounds }) => ({ name: 'an earlier introduction or consent of the chain', rights: bounds.delegation?.rights ?? [] })),
    ...(claims.exchange_rights ? [{ name: '`exchange_rights` of the subject token', rights: claims.exchange_rights }] : []),
  ]
}

/** Refuses a delegation right that a source lacks, and names the source. */
function requireDelegationRights({ delegation, orgOf }: RequestForTarget & { readonly orgOf: OrgOf }, sources: readonly Source[]): void {
  const faults = (delegation?.rights ?? []).flatMap((right, i): Fault[] => {
    const lacking = sources.find(({ rights }) => !coversRight(rights, right, orgOf))
    return lacking ? [{ pointer: `/delegation/rights/${i}`, hint: `${lacking.name} does not include this right` }] : []
  })
  if (faults.length > 0) refuse('invalid_scope', 'a right cannot be delegated', { faults })
}

/**
 * Requires that delegation was granted. The remaining depth narrows at each step, and the ceiling of every agent in the
 * chain bounds how many further agents the token may pass through.
 */
export function requireDepth(
  authenticated: AuthenticatedClient,
  subject: Subject,
  granted: readonly Bounds[],
  { delegation }: RequestForTarget,
): void {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const depth = delegation?.depth ?? 0
  if (ceilings.some(({ delegationDepth }, i) => ceilings.length - 1 - i + depth > delegationDepth))
    refuse('delegation_too_deep', 'the delegation depth exceeds the ceiling of an agent in the chain')
  const remainingDepth = kind === 'root' ? Number.POSITIVE_INFINITY : (claims.delegation?.depth ?? 0) - 1
  const isPassedOnTooOften = subject.steps.some(({ bounds, passedOn }) => passedOn + depth > (bounds.delegation?.depth ?? 0))
  if (isPassedOnTooOften || (depth > 0 && depth > Math.min(remainingDepth, ...granted.map((bounds) => bounds.delegation?.depth ?? 0))))
    refuse('delegation_too_deep', 'the requested delegation depth exceeds the granted one')
}

/** Refuses a chain in which an agent would occur twice. */
export function requireNoCycle(
  { client }: AuthenticatedClient,
  { chain, kind }: Subject,
  { target: { id: target } }: RequestForTarget,
): void {
  const agents = kind === 'root' ? chain : [...chain, client.id]
  if (agents.includes(target) || (kind === 'introduced' && chain.includes(client.id)))
    refuse('delegation_cycle', 'an agent would occur twice in the chain')
}
