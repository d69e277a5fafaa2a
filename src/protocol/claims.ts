import { z } from 'zod'
import { type Handle, handleOfRegistryKey, handleOfToken } from './handles.js'
import {
  ActorId,
  AgentId,
  AgentType,
  Audience,
  ClientUri,
  ConsentId,
  ExternalClientId,
  IntroductionId,
  Jkt,
  MemberId,
  OrgId,
  SessionId,
  SubjectId,
  TaskId,
  TokenId,
} from './ids.js'
import { Delegation, ExchangeRights, MAX_CALLS, MAX_NAMES, MAX_SCOPE_LENGTH, Names } from './rights.js'
import { Standing } from './standing.js'

/** The kind of a subject or an actor: an agent, an external client or a person. */
const SubProfile = z.enum(['ai_agent', 'service', 'user'])
export type SubProfile = z.infer<typeof SubProfile>

export function subProfileOf(sub: SubjectId): SubProfile {
  if (AgentId.safeParse(sub).success) return 'ai_agent'
  return MemberId.safeParse(sub).success || sub.startsWith('per_') ? 'user' : 'service'
}

/**
 * The chain of actors, nested with the newest actor outermost (RFC 8693 §4.1), each with its issuer and profile (draft-mcguinness-oauth-actor-profile). The
 * delegation depth bounds it. An earlier build left issuer and profile out.
 */
export interface Act {
  readonly sub: AgentId | ExternalClientId
  readonly iss?: string | undefined
  readonly sub_profile?: SubProfile | undefined
  readonly act?: Act | undefined
}
export const Act: z.ZodType<Act> = z.object({
  sub: z.union([AgentId, ExternalClientId]),
  iss: z.string().max(256).optional(),
  sub_profile: SubProfile.optional(),
  act: z.lazy(() => Act).optional(),
})

export const actorOf = (issuer: string, sub: AgentId | ExternalClientId, act?: Act): Act => ({
  sub,
  iss: issuer,
  sub_profile: subProfileOf(sub),
  ...(act && { act }),
})

/** How unusual a token is for its agent. `unknown`: the agent has too little history. */
const RiskLevel = z.enum(['low', 'medium', 'high', 'unknown'])
export type RiskLevel = z.infer<typeof RiskLevel>

/**
 * Payload of an access token (`typ: at+jwt`, RFC 9068 §2.2) in wire spelling.
 * Verifiers ignore unknown claims (RFC 7519 §4), so every claim that restricts a token must be listed here.
 */
export const AccessTokenClaims = z.object({
  iss: z.string().max(256),
  sub: SubjectId,
  /** Absent in a token of an earlier build. */
  sub_profile: SubProfile.optional(),
  aud: Audience,
  /** As the client authenticated: a client that is known by the URL of its metadata has this URL. */
  client_id: z.union([ActorId, ClientUri]),
  iat: z.int(),
  exp: z.int(),
  jti: TokenId,
  /** Space-separated. An introduced token has at least one scope. */
  scope: z.string().max(MAX_NAMES * (MAX_SCOPE_LENGTH + 1)),
  /** Absent in a bearer token, which only a resource that allows them may accept. */
  cnf: z.strictObject({ jkt: Jkt }).optional(),
  /** The organisation of the client. An external client may have none. */
  organization_id: OrgId.optional(),
  client_type: z.enum(['agent', 'member', 'external']),
  /** The kind of the agent that presents the token, as its organisation calls it. */
  agent_type: AgentType.optional(),
  act: Act.optional(),
  task_id: TaskId.optional(),
  /** Ancestors of the task, nearest first. */
  parent_task_ids: z.array(TaskId).max(16).optional(),
  introduction_id: IntroductionId.optional(),
  /** Of a token for a person: the consent that allows it. */
  consent_id: ConsentId.optional(),
  /** Of a root token for a person: when the person signed in. */
  auth_time: z.int().optional(),
  /** Of a root token that a page got: the session, with which the token ends. */
  sid: SessionId.optional(),
  allowed_tools: Names.optional(),
  allowed_resources: Names.optional(),
  delegation: Delegation.optional(),
  /** The number of calls that the audience accepts with the token. */
  max_calls: z.int().min(1).max(MAX_CALLS).optional(),
  /** The most that a root token may be exchanged for. Absent: everything that its client may have. */
  exchange_rights: ExchangeRights.optional(),
  /** Of tokens of agents: the risk at issue, for the audience to judge. The registry refuses and revokes nothing by it. */
  risk_level: RiskLevel.optional(),
  standing: Standing,
})
export type AccessTokenClaims = z.infer<typeof AccessTokenClaims>

/** Maximum lifetimes of introduced tokens and root tokens. */
export const INTRODUCED_TOKEN_SECONDS = 300
export const ROOT_TOKEN_SECONDS = 900
/** Allowed difference between two clocks of the registry. */
export const SKEW_SECONDS = 5
/**
 * A time claim (`iat`, `nbf`) may be this many seconds in the future, because clocks of clients are less exact. FAPI 2.0 §5.3.2.1 wants 10 s
 * accepted and more than 60 s refused.
 */
export const MAX_AHEAD_SECONDS = 30
/** A replay cache retains each value this many seconds after it expires, so that the value cannot be used again after a clock was set back. */
export const REPLAY_MARGIN_SECONDS = 900
export const MAX_TOKEN_BYTES = 6144

/** All handles that a token depends on: the listed ones, its own, and the handle of the key that signed it. */
export const handlesOf = ({ standing, jti }: Pick<AccessTokenClaims, 'standing' | 'jti'>, kid: string): Handle[] => [
  ...standing.dependsOn,
  handleOfToken(jti),
  handleOfRegistryKey(kid),
]

/** The client that the token was issued to: the newest actor, or else the subject. A token for a person has an actor. */
export const presenterOf = ({ act, sub }: Pick<AccessTokenClaims, 'act' | 'sub'>): ActorId => act?.sub ?? ActorId.parse(sub)

/** True if clients act for a person with the token. */
export const isForPerson = ({ sub }: { readonly sub: string }): boolean => sub.startsWith('per_')

/** The clients of a delegation chain: the subject, then the actors from the first to the newest. */
export function chainOf(claims: { sub: string; act?: Act | undefined }): string[] {
  const actors: string[] = []
  for (let act = claims.act; act; act = act.act) actors.unshift(act.sub)
  return [claims.sub, ...actors]
}
