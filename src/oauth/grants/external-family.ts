import { scopesWithoutApproval } from '../../delegation/resources/granted-scopes.js'
import { letsInForPeople } from '../../delegation/resources/policy.js'
import { refuse } from '../../errors.js'
import { actorOf, INTRODUCED_TOKEN_SECONDS } from '../../protocol/claims.js'
import { ExternalClientId } from '../../protocol/ids.js'
import { intersectNames, type Scope } from '../../protocol/rights.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { AuthenticatedExternal, ClientAuthDeps } from '../client-auth/client-auth.js'
import { requireConsent } from '../families/grant.js'
import type { FamilyGrant } from '../families/store.js'
import type { FamilyUse } from '../families/use.js'
import { type GrantRequest, type IssuedToken, issueToken } from '../issue.js'
import { limitCalls } from './limit-calls.js'
import { type Narrowing, narrowNamesTo, requestedScopes } from './narrowing.js'
import { refuseTarget, requirePeople } from './target.js'
import { type ExchangeDeps, requireBearer, secondsOf } from './token-exchange.js'

export type ExternalFamilyDeps = ExchangeDeps & Pick<ClientAuthDeps, 'noteUse'>

/**
 * Decides a token for a person to an external client, which has neither ceiling nor introduction: the consent is its only step, and the resource must let
 * such clients in for people. It gets no delegation.
 */
export async function tryExternalToken(
  deps: ExternalFamilyDeps,
  { barrier, authenticated, jkt, form }: Omit<GrantRequest, 'authenticated'> & { readonly authenticated: AuthenticatedExternal },
  { family, operations }: FamilyUse,
  grant: FamilyGrant,
  narrowing: Narrowing,
): Promise<IssuedToken | 'retry'> {
  const { audience, bounds } = grant
  const { client, key } = authenticated
  for (const name of ['delegation', 'approval_id'])
    if (form.get(name) !== undefined) refuse('invalid_request', `${name}: only agents can use it`)
  if (narrowing.taskDescription !== undefined) refuse('invalid_request', 'task_description: only agents create tasks')
  const [consent, found] = await Promise.all([requireConsent(deps, family, grant), deps.findResource(audience)])
  if (!found) return refuseTarget()
  const { resource, target, offer } = found
  if (!letsInForPeople(resource, client.orgId)) return refuseTarget()
  await requirePeople(deps, resource, family.memberId)
  if (jkt === undefined) requireBearer(deps, { target: { resource } })
  const offered = scopesWithoutApproval(resource, resource.policy.scopes ?? offer.scopes)
  const allowed = [offered, consent.bounds.scopes, bounds.scopes]
  const scopes = requestedScopes(form, allowed.reduce<Scope[]>(intersectNames, [...offer.scopes]))
  const tools = narrowNamesTo([consent.bounds.tools, bounds.tools], narrowing.tools, narrowing.requiredTools, 'tools')
  const names = [consent.bounds.resources, bounds.resources]
  const resources = narrowNamesTo(names, narrowing.resources, narrowing.requiredResources, 'resources')
  const task = family.taskId === undefined ? undefined : await deps.findTask(family.taskId)
  if (family.taskId !== undefined && (!task || task.isPaused || !stands(deps.trustLog.ended, task.dependencies.handles)))
    refuse('invalid_grant', 'the task has ended or is paused')
  if (narrowing.taskId !== undefined && narrowing.taskId !== task?.id)
    refuse('invalid_request', 'task_id: must be the task that the person was asked for')
  const understands = { restrictions: resource.understands ?? [], handles: [resource.ver] }
  const { maxCalls } = narrowing
  const calls = await limitCalls(deps, { maxCalls, target: { resource, understands }, scopes, task })
  const id = ExternalClientId.parse(client.id)
  await deps.noteUse(client)
  return issueToken(deps, barrier, {
    kind: 'introduced',
    authenticated: { client: { ...client, id }, key },
    audienceOrgId: resource.orgId,
    jkt,
    sub: await deps.pairwiseIds(family.memberId, resource.orgId),
    act: actorOf(deps.issuer, id),
    audience: offer.audience,
    scopes,
    tools,
    resources,
    task,
    calls,
    seconds: narrowing.seconds,
    maxSeconds: Math.min(INTRODUCED_TOKEN_SECONDS, secondsOf(resource, scopes, jkt)),
    person: { memberId: family.memberId, consentId: consent.id, familyId: family.id },
    alongside: operations,
    parents: [],
    dependencies: [
      dependenciesOf([family.handle], family.expiresAt),
      consent.dependencies,
      dependenciesOf([...target.dependencies.handles, ...understands.handles]),
      offer.dependencies,
      ...(task ? [task.dependencies] : []),
    ],
  })
}
