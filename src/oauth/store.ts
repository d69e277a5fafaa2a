import { z } from 'zod'
import { AccessTokenClaims } from '../protocol/claims.js'
import { Handle } from '../protocol/handles.js'
import { Audience, ClientId, IntroductionId, Jkt, OrgId, TaskId, TokenId } from '../protocol/ids.js'
import { MAX_STANDING_HANDLES } from '../protocol/standing.js'
import type { Collection, Storage } from '../storage/storage.js'

/** What is kept of an issued token: never its text. */
export const TokenRecord = z.strictObject({
  id: TokenId,
  kind: z.enum(['root', 'introduced']),
  clientId: ClientId,
  orgId: OrgId,
  sub: ClientId,
  audience: Audience,
  scope: AccessTokenClaims.shape.scope,
  /** The tokens that it came from: subject token, actor token. */
  parents: z.array(TokenId).max(2),
  /** Who it passed through, the first first. */
  actors: z.array(ClientId).max(8),
  taskId: TaskId.optional(),
  /** The task and its ancestors: a token is found under each. */
  tasks: z.array(TaskId).max(17),
  /** `<audience> <task>` where it has one. */
  calledFor: z.string().max(600).optional(),
  introductionId: IntroductionId.optional(),
  jkt: Jkt,
  /** All that it stands on: what its text says, and the key that signed it. */
  dependsOn: z.array(Handle).max(MAX_STANDING_HANDLES + 1),
  issuedAt: z.int(),
  expiresAt: z.int(),
  /** The record outlives the token, so that its lineage can be read. */
  keptUntil: z.int(),
})
export type TokenRecord = z.infer<typeof TokenRecord>

export type TokensStore = Collection<TokenRecord>

export const RECORD_KEPT_SECONDS = 30 * 86_400

export const tokensStore = ({ storage }: { storage: Storage }): TokensStore =>
  storage.collection<TokenRecord>({
    name: 'tokens',
    schema: TokenRecord,
    key: 'id',
    indexes: {
      tasks: { fields: ['tasks', 'issuedAt'] },
      parents: { fields: ['parents', 'issuedAt'] },
      calledFor: { fields: ['calledFor', 'expiresAt'] },
    },
    expires: 'keptUntil',
  })
