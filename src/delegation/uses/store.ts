import { z } from 'zod'
import type { Handle } from '../../protocol/handles.js'
import { type ActorId, AgentId, Audience, type ConsentId, type IntroductionId, Jkt, OrgId, TaskId } from '../../protocol/ids.js'
import { Names, Scope } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** Counts by unit of time, oldest first: the unit (days, hours or minutes since 1970 UTC) and the number of uses in it. Units without uses are absent. */
const countsFor = (units: number) => z.array(z.tuple([z.int().min(0), z.int().min(1)])).max(units)
export type Counts = readonly (readonly [unit: number, uses: number])[]

const DAY_SECONDS = 86_400
/** Counts by day, and the profile of an agent, cover this many days. */
export const PROFILE_DAYS = 90
export const PROFILE_SECONDS = PROFILE_DAYS * DAY_SECONDS
export const USE_RETENTION_SECONDS = 400 * DAY_SECONDS
export const MAX_PREVIOUS_TASKS = 10
export const MAX_RECENT_MINUTES = 120
export const MAX_PROFILE_RIGHTS = 500
export const MAX_PROFILE_KEYS = 32
export const MAX_PROFILE_TOOLS = 64

/** The uses of one thing. A use is a token that was issued. */
const UseRecord = z.strictObject({
  /** As `useId` makes it. */
  id: z.string().max(600),
  /** The organisation of the client that used it first. */
  orgId: OrgId,
  /** All uses that were counted. Guards a change: it never stays the same. */
  count: z.int().min(0),
  lastUsedAt: z.int(),
  days: countsFor(PROFILE_DAYS + 1),
  /** Only for a client at an audience: the tasks of its last tokens, newest first. */
  tasks: z.array(TaskId).max(MAX_PREVIOUS_TASKS).optional(),
  /** Only for a client: the number of tokens whose record was purged before they were counted. */
  uncounted: z.int().min(1).optional(),
  purgeAt: z.int(),
})
export type UseRecord = z.infer<typeof UseRecord>

/** One right that an agent has used, and how. */
const UsedRight = z.strictObject({
  audience: Audience,
  scope: Scope,
  firstUsedAt: z.int(),
  lastUsedAt: z.int(),
  /** The last two tasks, newest first: one of them differs from any given task if the right was used under another one. */
  tasks: z.array(TaskId).max(2),
  /** Absent: some token allowed every tool. */
  tools: Names.optional(),
})
export type UsedRight = z.infer<typeof UsedRight>

/** The activity of an agent in the last PROFILE_DAYS. */
export const AgentProfile = z.strictObject({
  agentId: AgentId,
  orgId: OrgId,
  /** Raised by each change, for guards. */
  revision: z.int().min(1),
  rights: z.array(UsedRight).max(MAX_PROFILE_RIGHTS),
  hours: countsFor(PROFILE_DAYS * 24 + 24),
  minutes: countsFor(MAX_RECENT_MINUTES),
  /** Lengths of the chains of actors. */
  depths: z.array(z.strictObject({ depth: z.int().min(0), firstUsedAt: z.int(), lastUsedAt: z.int() })).max(9),
  /** Thumbprints of the keys that tokens were bound to. */
  keys: z.array(z.strictObject({ jkt: Jkt, firstUsedAt: z.int(), lastUsedAt: z.int() })).max(MAX_PROFILE_KEYS),
  /** Refused token requests by day. */
  refusals: countsFor(PROFILE_DAYS + 1),
  purgeAt: z.int(),
})
export type AgentProfile = z.infer<typeof AgentProfile>

/** The subject of a use record. */
export type Used =
  | { readonly kind: 'introduction'; readonly id: IntroductionId }
  | { readonly kind: 'consent'; readonly id: ConsentId }
  | { readonly kind: 'client'; readonly id: ActorId }
  | { readonly kind: 'task'; readonly id: TaskId }
  | { readonly kind: 'audience'; readonly id: ActorId; readonly audience: string }

/** The name under which an audience is counted: a resource by its handle, because a later resource may have its URI. */
export const usedAudience = (audience: Audience, dependsOn: readonly Handle[]): string =>
  dependsOn.find((handle) => handle.startsWith('res:')) ?? audience

export const useId = (used: Used): string => `${used.kind} ${used.id}${used.kind === 'audience' ? ` ${used.audience}` : ''}`

export interface UsesStore {
  readonly records: Collection<UseRecord>
  readonly profiles: Collection<AgentProfile>
}

export const USE_RECORDS: OwnedSpec<UseRecord> = {
  name: 'use-records',
  schema: UseRecord,
  key: 'id',
  indexes: {},
  expires: 'purgeAt',
  ownedBy: ['orgId'],
}

export const AGENT_PROFILES: OwnedSpec<AgentProfile> = {
  name: 'agent-profiles',
  schema: AgentProfile,
  key: 'agentId',
  indexes: {},
  expires: 'purgeAt',
  ownedBy: ['orgId'],
}

export const usesStore = ({ storage }: { readonly storage: Storage }): UsesStore => ({
  records: storage.collection(USE_RECORDS),
  profiles: storage.collection(AGENT_PROFILES),
})
