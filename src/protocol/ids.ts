import { z } from 'zod'

/** A public id: its kind and 128 random bits. A public id names a thing; its handle (handles.ts) says whether the thing still has standing. */
const id = <K extends string>(kind: K, name: string) =>
  z.string().regex(new RegExp(`^${kind}_[A-Za-z0-9_-]{22}$`), `not ${name} (${kind}_ + 22 characters)`)

export const OrgId = id('org', 'an organisation id').brand<'OrgId'>()
export type OrgId = z.infer<typeof OrgId>
export const MemberId = id('mem', 'a member id').brand<'MemberId'>()
export type MemberId = z.infer<typeof MemberId>
export const AgentId = id('agt', 'an agent id').brand<'AgentId'>()
export type AgentId = z.infer<typeof AgentId>
export const TaskId = id('tsk', 'a task id').brand<'TaskId'>()
export type TaskId = z.infer<typeof TaskId>
export const IntroductionId = id('int', 'an introduction id').brand<'IntroductionId'>()
export type IntroductionId = z.infer<typeof IntroductionId>
export const ResourceId = id('res', 'a resource id').brand<'ResourceId'>()
export type ResourceId = z.infer<typeof ResourceId>
export const ApprovalId = id('apr', 'an approval id').brand<'ApprovalId'>()
export type ApprovalId = z.infer<typeof ApprovalId>
export const WebhookId = id('whk', 'a webhook id').brand<'WebhookId'>()
export type WebhookId = z.infer<typeof WebhookId>
export const EntryId = id('ent', 'a log entry id').brand<'EntryId'>()
export type EntryId = z.infer<typeof EntryId>
/** `jti` of an access token. */
export const TokenId = id('tok', 'a token id').brand<'TokenId'>()
export type TokenId = z.infer<typeof TokenId>
export const RegisteredKeyId = id('key', 'a key id').brand<'RegisteredKeyId'>()
export type RegisteredKeyId = z.infer<typeof RegisteredKeyId>

export const ConsentId = id('cns', 'a consent id').brand<'ConsentId'>()
export type ConsentId = z.infer<typeof ConsentId>
/** A grant of a person to a client, which its authorization code and refresh tokens belong to. */
export const FamilyId = id('fam', 'a refresh family id').brand<'FamilyId'>()
export type FamilyId = z.infer<typeof FamilyId>
/** A person as one sector knows it (identity/people/pairwise.ts): a member id never stands in a token. */
export const PersonId = id('per', 'a pairwise person id').brand<'PersonId'>()
export type PersonId = z.infer<typeof PersonId>

/** The client of programs on a device that are no agents yet: with the approval of a person they become one (oauth/device). It is built in. */
export const DEVICE_CLIENT_ID = 'cli_device'

export const ExternalClientId = z
  .string()
  .regex(/^cli_(?:[A-Za-z0-9_-]{22}|device)$/, `not an external client id (cli_ + 22 characters, or ${DEVICE_CLIENT_ID})`)
  .brand<'ExternalClientId'>()
export type ExternalClientId = z.infer<typeof ExternalClientId>

/** A session of a browser. The id is public; the cookie holds a secret besides. */
export const SessionId = id('ses', 'a session id').brand<'SessionId'>()
export type SessionId = z.infer<typeof SessionId>

/** A foreign issuer whose people may sign in. */
export const IssuerId = id('iss', 'an issuer id').brand<'IssuerId'>()
export type IssuerId = z.infer<typeof IssuerId>
/** The account of a person at a foreign issuer. */
export const LinkId = id('lnk', 'a link id').brand<'LinkId'>()
export type LinkId = z.infer<typeof LinkId>

/** A `client_id` that is the URL of the client's metadata. The server accepts fewer (oauth/registration/client-uri.ts). */
export const ClientUri = z
  .string()
  .max(512)
  .regex(/^https?:\/\/[^\s/?#\\@]+\/[!-~]+$/, 'not a client id (an https URL with a path)')
  .refine((text) => !/[?#\\]/.test(text), 'not a client id (a URL without query and fragment)')
  .brand<'ClientUri'>()
export type ClientUri = z.infer<typeof ClientUri>

/** Agents and members are OAuth clients; their id is the `client_id`. */
export const ClientId = z.union([AgentId, MemberId], 'not a client id (agt_ or mem_ + 22 characters)')
export type ClientId = z.infer<typeof ClientId>

/** The kind of an agent, such as `planner`. */
export const AgentType = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'not 1 to 64 of the characters A-Z a-z 0-9 . _ -')

/** What an agent can be introduced to: an agent or a protected resource. */
export const TargetId = z.union([AgentId, ResourceId], 'not the id of an agent or a resource (agt_ or res_ + 22 characters)')
export type TargetId = z.infer<typeof TargetId>

export const isResourceId = (id: TargetId): id is ResourceId => id.startsWith('res_')
/** Every client: it may get tokens, and the audit log records what it does. */
export const ActorId = z.union([ClientId, ExternalClientId], 'not a client id (agt_, mem_ or cli_ + 22 characters)')
export type ActorId = z.infer<typeof ActorId>

/** Subject of a token: a client, or the person for whom clients act. */
export const SubjectId = z.union([ActorId, PersonId], 'not a subject id (agt_, mem_, cli_ or per_ + 22 characters)')
export type SubjectId = z.infer<typeof SubjectId>

/** RFC 7638 thumbprint (SHA-256, base64url) of a key. */
export const Jkt = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'not a key thumbprint (43 base64url characters, RFC 7638)')
  .brand<'Jkt'>()
export type Jkt = z.infer<typeof Jkt>

/** An absolute URI that names the resource server of a token. */
export const Audience = z.string().min(1).max(512).brand<'Audience'>()
export type Audience = z.infer<typeof Audience>

const ID_BYTES = 16

type IdOf = {
  org: OrgId
  mem: MemberId
  agt: AgentId
  tsk: TaskId
  int: IntroductionId
  res: ResourceId
  apr: ApprovalId
  whk: WebhookId
  ent: EntryId
  tok: TokenId
  key: RegisteredKeyId
  cli: ExternalClientId
  ses: SessionId
  iss: IssuerId
  lnk: LinkId
  cns: ConsentId
  fam: FamilyId
}
const SCHEMAS = {
  org: OrgId,
  mem: MemberId,
  agt: AgentId,
  tsk: TaskId,
  int: IntroductionId,
  res: ResourceId,
  apr: ApprovalId,
  whk: WebhookId,
  ent: EntryId,
  tok: TokenId,
  key: RegisteredKeyId,
  cli: ExternalClientId,
  ses: SessionId,
  iss: IssuerId,
  lnk: LinkId,
  cns: ConsentId,
  fam: FamilyId,
}

/** Creates a random id: `newId(random, 'agt')`. */
export function newId<K extends keyof IdOf>(random: { token(bytes: number): string }, kind: K): IdOf[K] {
  return SCHEMAS[kind].parse(`${kind}_${random.token(ID_BYTES)}`) as IdOf[K]
}

/** The audience of an agent. It does not change when the agent's endpoint moves. */
export const audienceOf = (issuer: string, agent: AgentId): Audience => Audience.parse(`${issuer}/agents/${agent}`)

/** The base URL from which card resolvers of the A2A SDKs find the card of an agent: its audience with a slash, because they resolve relative to it. */
export const cardBaseUrlOf = (audience: Audience): string => `${audience}/`

/** The agent that an audience names; undefined if the audience is not an agent of this issuer. */
export function agentOfAudience(issuer: string, audience: string): AgentId | undefined {
  const prefix = `${issuer}/agents/`
  if (!audience.startsWith(prefix)) return undefined
  const parsed = AgentId.safeParse(audience.slice(prefix.length))
  return parsed.success ? parsed.data : undefined
}
