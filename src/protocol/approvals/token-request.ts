import { z } from 'zod'
import { AccessTokenClaims } from '../claims.js'
import { AgentId, ApprovalId, Audience, ClientId, Jkt, TargetId, TaskId } from '../ids.js'
import { Bounds } from '../rights.js'

/**
 * Why a token needs an approval: the resource demands one for a scope (`scope`), or the token may be passed on although only the open policy of its
 * audience introduced the client (`delegation`). Why a consent needs one: the organisation of the person has not admitted the client (`client`), or
 * demands one for a scope (`adminScope`).
 */
const ApprovalReason = z.enum(['scope', 'delegation', 'client', 'adminScope'])
export type ApprovalReason = z.infer<typeof ApprovalReason>
export const ApprovalReasons = z.array(ApprovalReason).max(2)

/** A task that would be created together with the token. */
const NewTask = z.strictObject({
  description: z.string().max(1024),
  reference: z.string().max(128).optional(),
  parentTaskId: TaskId.optional(),
})

/** A token for which somebody must give an approval, and which the approval is good for. */
export const TokenRequest = z.strictObject({
  /** The agent that requests the token. */
  from: AgentId,
  to: TargetId,
  audience: Audience,
  subject: AccessTokenClaims.shape.sub,
  /** The agents between the subject and the requester. */
  actors: z.array(ClientId).max(8),
  bounds: Bounds,
  taskId: TaskId.optional(),
  newTask: NewTask.optional(),
  /** Thumbprint of the key that the token is bound to. Absent for a bearer token. */
  jkt: Jkt.optional(),
})
export type TokenRequest = z.infer<typeof TokenRequest>

/** Lifetime of a binding token. */
export const BINDING_SECONDS = 600

/** Claims of a binding token: the registry's statement that a request was refused only because it needs an approval. */
export const BindingClaims = z.object({
  iss: z.string().max(512),
  aud: z.string().max(512),
  iat: z.int().min(0),
  exp: z.int().min(0),
  sub: AgentId,
  /** The id that the approval will have, so that a repeated request for it creates no other one. */
  jti: ApprovalId,
  because: ApprovalReasons,
  request: TokenRequest,
  /** Digest of `request`. */
  digest: z.string().length(43),
})
export type BindingClaims = z.infer<typeof BindingClaims>
