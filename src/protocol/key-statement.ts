import { z } from 'zod'
import { SIGNATURE_ALGORITHMS } from '../lib/algorithms.js'
import { Handle } from './handles.js'
import { AgentId, Jkt, MemberId, OrgId, RegisteredKeyId } from './ids.js'

/** Who owns a registered key: an organisation its publisher keys, agents and members the keys by which they authenticate. An agent's key may also sign its own card. */
export const KeyOwner = z.union([OrgId, AgentId, MemberId])
export type KeyOwner = z.infer<typeof KeyOwner>

export const KeyPurpose = z.enum(['client', 'publisher'])
export type KeyPurpose = z.infer<typeof KeyPurpose>

/**
 * What the registry says of a registered key. The digest of the log entry that begins `handle` is `digestOfJson(statement)`,
 * so the statement can be checked against the log; the salt keeps the digest from being guessed.
 */
export const KeyStatement = z.strictObject({
  id: RegisteredKeyId,
  owner: KeyOwner,
  orgId: OrgId,
  use: KeyPurpose,
  handle: Handle,
  jkt: Jkt,
  alg: z.enum(SIGNATURE_ALGORITHMS),
  jwk: z.record(z.string().max(16), z.string().max(1024)),
  at: z.int().min(0),
  salt: z.string().length(22),
})
export type KeyStatement = z.infer<typeof KeyStatement>
