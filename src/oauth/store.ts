import { z } from 'zod'
import { AccessTokenClaims } from '../protocol/claims.js'
import { Handle } from '../protocol/handles.js'
import {
  ActorId,
  Audience,
  ConsentId,
  FamilyId,
  IntroductionId,
  Jkt,
  MemberId,
  OrgId,
  SubjectId,
  TaskId,
  TokenId,
} from '../protocol/ids.js'
import { Delegation, Names } from '../protocol/rights.js'
import { MAX_STANDING_HANDLES } from '../protocol/standing.js'
import type { Collection, OwnedSpec, Storage } from '../storage/storage.js'

/** Record of an issued token. The token's text is never stored. */
export const TokenRecord = z.strictObject({
  id: TokenId,
  kind: z.enum(['root', 'introduced']),
  clientId: ActorId,
  /** The organisation of the client, or that of the resource for an external client without one. */
  orgId: OrgId,
  sub: SubjectId,
  audience: Audience,
  scope: AccessTokenClaims.shape.scope,
  /** The subject token and the actor token that the token was exchanged from. */
  parents: z.array(TokenId).max(2),
  /** The chain of actors, oldest first. */
  actors: z.array(ActorId).max(8),
  taskId: TaskId.optional(),
  /** The task and its ancestors. The index `tasks` finds the token by each of them. */
  tasks: z.array(TaskId).max(17),
  /** `<audience> <task>`, if the token has a task. */
  calledFor: z.string().max(600).optional(),
  introductionId: IntroductionId.optional(),
  /** The person for whom the clients act. Never shown to them. */
  memberId: MemberId.optional(),
  consentId: ConsentId.optional(),
  familyId: FamilyId.optional(),
  tools: Names.optional(),
  resources: Names.optional(),
  delegation: Delegation.optional(),
  maxCalls: AccessTokenClaims.shape.max_calls,
  /** Units of a budget that a call costs. */
  callCost: z.int().min(0).optional(),
  /** The calls and units that the audience has settled, and when. */
  usedCalls: z.int().min(0).optional(),
  usedUnits: z.int().min(0).optional(),
  settledAt: z.int().optional(),
  /** Absent for a bearer token. */
  jkt: Jkt.optional(),
  bearer: z.literal(true).optional(),
  /** Every handle in `standing.dependsOn`, and the registry key that signed the token. */
  dependsOn: z.array(Handle).max(MAX_STANDING_HANDLES + 1),
  issuedAt: z.int(),
  expiresAt: z.int(),
  /** The record is kept longer than the token is valid, so that its lineage can be read. */
  purgeAt: z.int(),
})
export type TokenRecord = z.infer<typeof TokenRecord>

/** The person for whom a token is, and what it stands on. */
export interface TokenPerson {
  readonly memberId: MemberId
  readonly consentId: ConsentId
  readonly familyId?: FamilyId | undefined
  /** When the person signed in. Only root tokens say so. */
  readonly authAt?: number | undefined
}

export const personFieldsOf = ({
  memberId,
  consentId,
  familyId,
}: TokenPerson): Pick<TokenRecord, 'memberId' | 'consentId' | 'familyId'> => ({
  memberId,
  consentId,
  ...(familyId && { familyId }),
})

export type TokensStore = Collection<TokenRecord>

export const TOKEN_RECORD_RETENTION_SECONDS = 30 * 86_400

export const TOKENS: OwnedSpec<TokenRecord> = {
  name: 'tokens',
  schema: TokenRecord,
  key: 'id',
  indexes: {
    tasks: { fields: ['tasks', 'issuedAt'] },
    parents: { fields: ['parents', 'issuedAt'] },
    calledFor: { fields: ['calledFor', 'expiresAt'] },
    // The only further index for tokens.list, because each costs the token endpoint: the tokens of a client are found in the audit log
    audience: { fields: ['audience', 'issuedAt'] },
  },
  expires: 'purgeAt',
  ownedBy: ['orgId'],
}

export const tokensStore = ({ storage }: { storage: Storage }): TokensStore => storage.collection(TOKENS)
