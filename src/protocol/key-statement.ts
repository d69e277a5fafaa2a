import { z } from 'zod'
import { SIGNATURE_ALGORITHMS } from '../lib/algorithms.js'
import { Handle } from './handles.js'
import { AgentId, ClientId, Jkt, MemberId, OrgId, RegisteredKeyId } from './ids.js'

/** Organisations own publisher keys; agents and members own the keys they authenticate with. An agent's key may also sign the agent's card. */
export const KeyOwner = z.union(
  [OrgId, AgentId, MemberId],
  'not the id of an organisation, agent or member (org_, agt_ or mem_ + 22 characters)',
)
export type KeyOwner = z.infer<typeof KeyOwner>

/** The `iss` of the credentials that a publisher signs: its URL, for which JWT VC issuer metadata is served. */
export const issuerUrlOf = (registry: string, owner: KeyOwner): string =>
  `${registry}/${OrgId.safeParse(owner).success ? 'organisations' : 'agents'}/${owner}`

/** The values of `iss` that mean the publisher. Cards that were signed before publishers had URLs have the id alone. */
export const issuersOf = (registry: string, owner: KeyOwner): readonly string[] => [issuerUrlOf(registry, owner), owner]

export const KeyPurpose = z.enum(['client', 'publisher'])
export type KeyPurpose = z.infer<typeof KeyPurpose>

/**
 * The registry's statement about a registered key. The log entry that registers the key carries `digestOfJson(statement)`, so the statement
 * can be checked against the log. The salt keeps the digest from being guessed.
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
  registeredAt: z.int().min(0),
  /** The client that registered the key: an administrator, or the agent or member that confirmed its own key. */
  registeredBy: ClientId,
  salt: z.string().length(22),
})
export type KeyStatement = z.infer<typeof KeyStatement>
