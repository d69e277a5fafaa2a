import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { actorOf } from '../../protocol/claims.js'
import { AgentId, Audience } from '../../protocol/ids.js'
import { resourceUriOf } from '../../protocol/resources/uri.js'
import { intersectNames, scopesFor } from '../../protocol/rights.js'
import { dependenciesOf } from '../../protocol/standing.js'
import { personScopes } from '../authorize/offer.js'
import { OFFLINE_SCOPE } from '../authorize/request.js'
import { isExternal } from '../client-auth/client-auth.js'
import { requireConsent } from '../families/grant.js'
import type { FamilyGrant } from '../families/store.js'
import type { FamilyDeps, FamilyRequest, FamilyUse } from '../families/use.js'
import { type GrantRequest, type IssuedToken, issueToken, refuseWithoutProof } from '../issue.js'
import { AUDIENCE_PARAMETERS, parseAudienceParameters } from './exchange-request.js'
import { type ExternalFamilyDeps, tryExternalToken } from './external-family.js'
import { type Narrowing, narrowNamesTo, parseNarrowing, requestedScopes } from './narrowing.js'
import type { Subject } from './subject.js'
import { audienceIn, refuseTarget } from './target.js'
import { findRequestedTask, requireTask, withRetries } from './task.js'
import { tryGrantForAudience } from './token-exchange.js'

export type FamilyGrantDeps = ExternalFamilyDeps & FamilyDeps

/**
 * Issues a token for a person: what its consent allows now, within what this authorization allowed and the request asks for. Using the secret and storing
 * the token are one commit; a request that loses against another is decided again.
 */
export const grantByFamily = (
  deps: FamilyGrantDeps,
  request: FamilyRequest,
  use: (deps: FamilyDeps, request: FamilyRequest) => Promise<FamilyUse>,
): Promise<IssuedToken> =>
  withRetries(async () => {
    deps.requireRoom('token')
    const used = await use(deps, request)
    const narrowing = parseNarrowing(request.form, AUDIENCE_PARAMETERS)
    const grant = grantFor(used, request)
    const { authenticated } = request
    const form = used.family.isOffline ? withoutOfflineScope(request.form) : request.form
    const issued = isExternal(authenticated)
      ? await tryExternalToken(deps, { ...request, form, authenticated }, used, grant, narrowing)
      : grant.audience === deps.issuer
        ? await tryRootToken(deps, { ...request, form, authenticated }, used, grant, narrowing)
        : await tryToken(deps, { ...request, form, authenticated }, used, grant, narrowing)
    return issued === 'retry' ? issued : { ...issued, refreshToken: used.refreshToken }
  })

/** Some clients repeat the scope of their authorization request. The person has granted `offline_access`, but no token has it. */
function withoutOfflineScope(form: OAuthForm): OAuthForm {
  const scope = form
    .get('scope')
    ?.split(' ')
    .filter((one) => one !== OFFLINE_SCOPE)
    .join(' ')
  return { ...form, get: (name) => (name === 'scope' ? scope || undefined : form.get(name)) }
}

/** The audience that the request names. It may be left out if the person was asked for one only. */
function grantFor({ family }: FamilyUse, { form }: FamilyRequest): FamilyGrant {
  const named = audienceIn(form)
  const [only, ...others] = family.grants
  if (named === undefined) {
    return only && others.length === 0 ? only : refuse('invalid_target', 'name one of the resources that were authorized (resource)')
  }
  return family.grants.find(({ audience }) => audience === resourceUriOf(named)) ?? refuseTarget()
}

function subjectOf({ family }: FamilyUse, { authenticated: { client } }: GrantRequest, clientId: AgentId): Subject {
  const { memberId, id: familyId, taskId } = family
  return {
    kind: 'root',
    claims: { sub: client.id, ...(taskId && { task_id: taskId }) },
    chain: [client.id],
    ceilings: [client.ceiling],
    steps: [],
    dependencies: dependenciesOf([family.handle], family.expiresAt),
    person: { memberId, clientId, familyId },
  }
}

async function tryToken(
  deps: FamilyGrantDeps,
  request: GrantRequest,
  used: FamilyUse,
  grant: FamilyGrant,
  narrowing: Narrowing,
): Promise<IssuedToken | 'retry'> {
  const { clientId } = used.family
  await requireConsent(deps, used.family, grant)
  const parameters = parseAudienceParameters(request.form)
  const subject = subjectOf(used, request, AgentId.parse(clientId))
  const parties = { subject, familyGrant: grant, alongside: used.operations }
  return tryGrantForAudience(deps, request, { ...narrowing, ...parameters, audience: grant.audience }, parties)
}

/** A token for the registry itself: the agent acts there for the person, with few scopes and never with the person's role. */
async function tryRootToken(
  deps: FamilyGrantDeps,
  { barrier, authenticated, jkt, form }: GrantRequest,
  used: FamilyUse,
  grant: FamilyGrant,
  narrowing: Narrowing,
): Promise<IssuedToken | 'retry'> {
  const { audience, bounds } = grant
  if (jkt === undefined) return refuseWithoutProof()
  const forAudiences = AUDIENCE_PARAMETERS.find((name) => form.get(name) !== undefined)
  if (forAudiences) refuse('invalid_request', `${forAudiences}: not for a token for the registry itself, which is exchanged`)
  const { family } = used
  const { client } = authenticated
  const consent = await requireConsent(deps, used.family, grant)
  const allowed = [personScopes(scopesFor(client.ceiling.rights, Audience.parse(deps.issuer))), consent.bounds.scopes, bounds.scopes]
  const scopes = requestedScopes(form, allowed.reduce(intersectNames))
  const tools = narrowNamesTo([client.ceiling.tools, consent.bounds.tools, bounds.tools], narrowing.tools, narrowing.requiredTools, 'tools')
  const resources = narrowNamesTo(
    [client.ceiling.resources, consent.bounds.resources, bounds.resources],
    narrowing.resources,
    narrowing.requiredResources,
    'resources',
  )
  const person = { person: family.memberId, ...(family.taskId && { subjectTask: family.taskId }) }
  const requested = await findRequestedTask(deps, narrowing, { authenticated, ...person, now: barrier.now })
  const task = requireTask(deps.trustLog.ended, requested, { presenter: client.id, ...person, consentTask: consent.taskId })
  return issueToken(deps, barrier, {
    kind: 'root',
    authenticated,
    jkt,
    sub: await deps.pairwiseIds(family.memberId, `client:${client.id}`),
    act: actorOf(deps.issuer, AgentId.parse(client.id)),
    audience,
    scopes,
    tools,
    resources,
    task,
    creation: requested?.creation && { ...requested.creation, by: authenticated },
    seconds: narrowing.seconds,
    person: { memberId: family.memberId, consentId: consent.id, familyId: family.id, authAt: family.authAt },
    alongside: used.operations,
    parents: [],
    dependencies: [dependenciesOf([family.handle], family.expiresAt), consent.dependencies, ...(task ? [task.dependencies] : [])],
  })
}
