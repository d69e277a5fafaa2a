import { z } from 'zod'

/** A public id: its kind and 128 random bits. Public ids name things; handles (handles.ts) say whether they still stand. */
const id = <K extends string>(kind: K) => z.string().regex(new RegExp(`^${kind}_[A-Za-z0-9_-]{22}$`))

export const OrgId = id('org').brand<'OrgId'>()
export type OrgId = z.infer<typeof OrgId>
export const MemberId = id('mem').brand<'MemberId'>()
export type MemberId = z.infer<typeof MemberId>
export const AgentId = id('agt').brand<'AgentId'>()
export type AgentId = z.infer<typeof AgentId>
export const TaskId = id('tsk').brand<'TaskId'>()
export type TaskId = z.infer<typeof TaskId>
export const IntroductionId = id('int').brand<'IntroductionId'>()
export type IntroductionId = z.infer<typeof IntroductionId>
export const EntryId = id('ent').brand<'EntryId'>()
export type EntryId = z.infer<typeof EntryId>
/** `jti` of an access token. */
export const TokenId = id('tok').brand<'TokenId'>()
export type TokenId = z.infer<typeof TokenId>
export const RegisteredKeyId = id('key').brand<'RegisteredKeyId'>()
export type RegisteredKeyId = z.infer<typeof RegisteredKeyId>

/** Agents and members are OAuth clients; their id is the `client_id`. */
export const ClientId = z.union([AgentId, MemberId])
export type ClientId = z.infer<typeof ClientId>

/** RFC 7638 thumbprint (SHA-256, base64url) of a key. */
export const Jkt = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/)
  .brand<'Jkt'>()
export type Jkt = z.infer<typeof Jkt>

/** Any absolute URI that names who accepts a token. */
export const Audience = z.string().min(1).max(512).brand<'Audience'>()
export type Audience = z.infer<typeof Audience>

export const ID_BYTES = 16

type IdOf = { org: OrgId; mem: MemberId; agt: AgentId; tsk: TaskId; int: IntroductionId; ent: EntryId; tok: TokenId; key: RegisteredKeyId }
const SCHEMAS = {
  org: OrgId,
  mem: MemberId,
  agt: AgentId,
  tsk: TaskId,
  int: IntroductionId,
  ent: EntryId,
  tok: TokenId,
  key: RegisteredKeyId,
}

/** A new random id: `newId(random, 'agt')`. */
export function newId<K extends keyof IdOf>(random: { token(bytes: number): string }, kind: K): IdOf[K] {
  return SCHEMAS[kind].parse(`${kind}_${random.token(ID_BYTES)}`) as IdOf[K]
}

/** The audience of an agent: stable when its endpoint moves. */
export const audienceOf = (issuer: string, agent: AgentId): Audience => Audience.parse(`${issuer}/agents/${agent}`)

/** The agent that an audience names at this issuer, or undefined. */
export function agentOfAudience(issuer: string, audience: string): AgentId | undefined {
  const prefix = `${issuer}/agents/`
  if (!audience.startsWith(prefix)) return undefined
  const parsed = AgentId.safeParse(audience.slice(prefix.length))
  return parsed.success ? parsed.data : undefined
}
