import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import { signJwt } from '../credentials/jose/sign.js'
import type { TaskDeps } from '../delegation/tasks/authority.js'
import type { Profiles } from '../delegation/uses/find.js'
import { refuse } from '../errors.js'
import type { OAuthForm } from '../http/form.js'
import { quickParse } from '../lib/quick-parse.js'
import type { Random } from '../lib/random.js'
import {
  AccessTokenClaims,
  chainOf,
  INTRODUCED_TOKEN_SECONDS,
  MAX_TOKEN_BYTES,
  type RiskLevel,
  ROOT_TOKEN_SECONDS,
  subProfileOf,
} from '../protocol/claims.js'
import { type Handle, handleOfToken, identitiesOf } from '../protocol/handles.js'

import { ActorId, type Jkt, newId } from '../protocol/ids.js'
import { formatScope } from '../protocol/rights.js'
import { type Barrier, joinDependencies, MAX_STANDING_HANDLES, stands } from '../protocol/standing.js'

import type { KeyRing } from '../signing-keys/key-ring.js'
import type { Operation, Storage } from '../storage/storage.js'
import { dependenciesToStore } from '../trust-log/horizon-rule.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { AuthenticatedClient } from './client-auth/client-auth.js'
import { personFieldsOf, TOKEN_RECORD_RETENTION_SECONDS, type TokenRecord, type TokensStore } from './store.js'
import type { TokenDecision } from './token-decision.js'
import { auditedAudience } from './verification/task-history.js'

export interface IssueDeps {
  readonly tokens: TokensStore
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly keyRing: KeyRing
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly tasks: TaskDeps['tasks']
  readonly commitTask: TaskDeps['commitTask']
  readonly profiles: Pick<Profiles, 'riskLevelOf'>
}

/** Input of a grant. */
export interface GrantRequest {
  readonly barrier: Barrier
  readonly authenticated: AuthenticatedClient
  /** Thumbprint of the proof's key, to which the token will be bound. Undefined without a proof: the grant then issues a bearer token or refuses. */
  readonly jkt: Jkt | undefined
  readonly form: OAuthForm
  /** Names the request: it may be decided twice (`afterBarrier`). */
  readonly attempt: string
  /** The header `Idempotency-Key`. */
  readonly retryKey?: string | undefined
}

export interface IssuedToken {
  readonly accessToken: string
  readonly expiresIn: number
  readonly scope: string
  readonly tokenType: 'DPoP' | 'Bearer'
  readonly task: TokenDecision['task']
  readonly tools: TokenDecision['tools']
  readonly resources: TokenDecision['resources']
  readonly maxCalls: number | undefined
  readonly refreshToken?: string | undefined
  /** The agent that a device has become. */
  readonly clientId?: string | undefined
}

export const refuseWithoutProof = (): never =>
  refuse('invalid_dpop_proof', 'send exactly one DPoP header: only resources that allow bearer tokens have tokens without a proof')

/**
 * Issues the tokens of every grant. A token depends on everything that the decision read, expires no later than any of it, and is bound
 * to the proof's key. Token record, audit row and a new task are committed durably before the token is returned; if the commit fails, no token is
 * returned. `retry`: another request created a task with the same reference, took the approval, or left less of a budget than the token needs, at the
 * same time.
 *
 * @see [RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068.html#section-2.2)
 */
export async function issueToken(deps: IssueDeps, { now, seq }: Barrier, decision: TokenDecision): Promise<IssuedToken | 'retry'> {
  const { client, key } = decision.authenticated
  const jti = newId(deps.random, 'tok')
  const scope = formatScope(decision.scopes)
  const [signer, riskLevel] = await Promise.all([deps.keyRing.signer('token'), riskLevelOf(deps, decision, scope, now)])
  const dependencies = joinDependencies(
    client.dependencies,
    { handles: [...(key ? [key.handle] : []), handleOfToken(jti), deps.trustLog.epoch], expiresAt: Number.POSITIVE_INFINITY },
    ...decision.dependencies,
  )
  const allHandles = [...dependencies.handles, signer.handle]
  if (!stands(deps.trustLog.ended, allHandles)) refuse('invalid_request', 'something that the token would depend on was revoked')
  const { length } = dependencies.handles
  if (length > MAX_STANDING_HANDLES)
    refuse(
      'standing_too_large',
      `the token would depend on ${length} handles, more than ${MAX_STANDING_HANDLES}; use a shorter chain or name fewer skills`,
    )
  const maxSeconds = decision.maxSeconds ?? (decision.kind === 'root' ? ROOT_TOKEN_SECONDS : INTRODUCED_TOKEN_SECONDS)
  const seconds = Math.min(maxSeconds, client.ceiling?.tokenSeconds ?? maxSeconds, decision.seconds ?? maxSeconds)
  const exp = Math.min(now + seconds, Math.floor(dependencies.expiresAt))
  if (exp <= now) refuse('invalid_request', 'something that the token would depend on has expired')
  const dependsOn = dependenciesToStore(dependencies, { now, expiresAt: exp })
  const checked = quickParse(AccessTokenClaims, {
    iss: deps.issuer,
    sub: decision.sub,
    sub_profile: subProfileOf(decision.sub),
    aud: decision.audience,
    client_id: client.clientUri ?? client.id,
    iat: now,
    exp,
    jti,
    scope,
    cnf: decision.jkt === undefined ? undefined : { jkt: decision.jkt },
    organization_id: client.orgId,
    client_type: client.kind,
    agent_type: client.agentType,
    act: decision.act,
    task_id: decision.task?.id,
    parent_task_ids: decision.task && decision.task.ancestors.length > 0 ? [...decision.task.ancestors] : undefined,
    introduction_id: decision.introductionId,
    consent_id: decision.person?.consentId,
    auth_time: decision.person?.authAt,
    sid: decision.sessionId,
    allowed_tools: decision.tools && [...decision.tools],
    allowed_resources: decision.resources && [...decision.resources],
    delegation: decision.delegation,
    max_calls: decision.calls?.maxCalls,
    exchange_rights: decision.exchangeRights && [...decision.exchangeRights],
    risk_level: riskLevel,
    standing: { at: seq, dependsOn },
  })
  if (!checked.success) throw checked.error
  const claims = checked.data
  const accessToken = await signJwt({ typ: 'at+jwt', kid: signer.kid }, claims, signer)
  if (accessToken.length > MAX_TOKEN_BYTES)
    refuse(
      'standing_too_large',
      `the token would have ${accessToken.length} bytes, more than ${MAX_TOKEN_BYTES}; request fewer scopes, tools or resources`,
    )
  if ((await saveRecord(deps, decision, claims, allHandles)) === 'retry') return 'retry'
  const { task, tools, resources, calls, jkt } = decision
  const tokenType = jkt === undefined ? 'Bearer' : 'DPoP'
  return { task, tools, resources, maxCalls: calls?.maxCalls, accessToken, expiresIn: exp - now, scope, tokenType }
}

const riskLevelOf = (
  { profiles }: IssueDeps,
  { authenticated, sub, act, audience, task, tools, jkt }: TokenDecision,
  scope: string,
  issuedAt: number,
): Promise<RiskLevel | undefined> =>
  profiles.riskLevelOf(authenticated.client.id, {
    audience,
    scope,
    taskId: task?.id,
    tools,
    actors: chainOf({ sub, act }).slice(1),
    jkt,
    issuedAt,
  })

async function saveRecord(
  deps: IssueDeps,
  decision: TokenDecision,
  claims: AccessTokenClaims,
  dependsOn: readonly Handle[],
): Promise<'saved' | 'retry'> {
  const { client } = decision.authenticated
  const orgId = client.orgId ?? decision.audienceOrgId
  if (orgId === undefined) throw new Error('a token concerns an organisation')
  const tasks = decision.task ? [decision.task.id, ...decision.task.ancestors] : []
  const record: TokenRecord = {
    id: claims.jti,
    kind: decision.kind,
    clientId: client.id,
    orgId,
    sub: claims.sub,
    audience: claims.aud,
    scope: claims.scope,
    parents: [...decision.parents],
    actors: chainOf(claims)
      .slice(1)
      .map((actor) => ActorId.parse(actor)),
    ...(decision.task && { taskId: decision.task.id, calledFor: `${claims.aud} ${decision.task.id}` }),
    tasks,
    ...(decision.introductionId && { introductionId: decision.introductionId }),
    ...(decision.person && personFieldsOf(decision.person)),
    ...(decision.tools && { tools: [...decision.tools] }),
    ...(decision.resources && { resources: [...decision.resources] }),
    ...(decision.delegation && { delegation: decision.delegation }),
    ...(decision.calls && { maxCalls: decision.calls.maxCalls, callCost: decision.calls.cost }),
    ...(decision.jkt === undefined ? { bearer: true } : { jkt: decision.jkt }),
    dependsOn: [...dependsOn],
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    purgeAt: claims.exp + TOKEN_RECORD_RETENTION_SECONDS,
  }
  const row = deps.audit.recording({
    orgId,
    ...(decision.audienceOrgId && decision.audienceOrgId !== orgId && { otherOrgId: decision.audienceOrgId }),
    actor: client.id,
    action: 'oauth.token',
    outcome: 'done',
    subject: auditedAudience(claims.aud),
    tokenId: claims.jti,
    ...(claims.task_id && { taskId: claims.task_id }),
    facts: {
      kind: decision.kind,
      scope: claims.scope.slice(0, 512),
      actors: record.actors.length,
      ...(record.consentId && { consent: record.consentId }),
      ...(decision.jkt === undefined && { bearer: true }),
      ...(claims.max_calls && { maxCalls: claims.max_calls }),
      ...(claims.risk_level && { risk: claims.risk_level }),
      ...(decision.approval && { approval: decision.approval.id }),
    },
  })
  const { alongside = [], calls, approval } = decision
  const taking = [...alongside, ...(calls?.taking ?? []), ...(approval ? [approval.taking] : [])]
  const saving = [...taking, deps.tokens.inserting(record), row]
  if (decision.creation) return createTask(deps, decision.creation, saving)
  const committed = await deps.storage.commit(saving)
  if (committed.ok) return 'saved'
  if (committed.failed < taking.length) return 'retry'
  return refuse('unavailable', 'the token could not be stored; try again in a second', { retryAfterSeconds: 1 })
}

/** Commits the task, its log entry and the token as one. */
async function createTask(
  deps: IssueDeps,
  { task, naming, by: { client, key } }: NonNullable<TokenDecision['creation']>,
  saving: readonly Operation[],
): Promise<'saved' | 'retry'> {
  const draft = auditDraft(client, 'tasks.create', { subject: task.id, taskId: task.id })
  const { outcome } = await deps.commitTask(client, (counting) =>
    deps.trustLog.commit({
      type: 'task.created',
      dependsOn: [...task.dependsOn, ...identitiesOf(client.dependencies.handles), key.handle],
      operations: [...counting, ...naming, deps.tasks.inserting(task), deps.audit.recording(draft), ...saving],
    }),
  )
  if (outcome === 'committed') return 'saved'
  if (outcome === 'conflict') return 'retry'
  return refuse('invalid_request', 'something that the token would depend on was revoked')
}
