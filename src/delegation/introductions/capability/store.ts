import { z } from 'zod'
import { Handle } from '../../../protocol/handles.js'
import { AgentId, IntroductionId, OrgId, TaskId } from '../../../protocol/ids.js'
import { Bounds, Delegation, Names } from '../../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../../storage/storage.js'
import { Introduction } from '../store.js'

/** The id of a skill, or a tag, as cards write it. */
export const Capability = Introduction.shape.capability.unwrap()

/**
 * A request for an introduction to any agent with a capability, as its requester sees it. It is pending until one of the agents that were asked
 * approves: then an introduction with the same id takes its place. It shows neither which agents were asked nor that one of them denied.
 */
const CapabilityRequest = z.strictObject({
  id: IntroductionId,
  from: AgentId,
  fromOrg: OrgId,
  capability: Capability,
  purpose: z.string().max(512),
  /** Absent: the scopes of the card that the requester's ceiling allows. */
  scopes: Bounds.shape.scopes.optional(),
  tools: Names.optional(),
  resources: Names.optional(),
  delegation: Delegation.optional(),
  taskId: TaskId.optional(),
  /** Requested lifetime in seconds. */
  seconds: z.int(),
  state: z.enum(['pending', 'ended']),
  /** Handle of kind `int:`, by which the history finds a withdrawal. */
  handle: Handle,
  createdAt: z.int(),
  pendingUntil: z.int(),
  /** Epoch milliseconds, from which the request is matched: those of one organisation follow each other at a distance. */
  matchAt: z.int().optional(),
  /** The quota slot that the request occupies (`request-slots`). */
  slot: z.int().min(0),
  purgeAt: z.int(),
})
export type CapabilityRequest = z.infer<typeof CapabilityRequest>

/** The introduction that one agent with the capability is asked to approve. Only the asked side reads it. */
const Ask = Introduction.extend({
  /** `<introduction id> <organisation of the target>`: of each organisation, one agent is asked. */
  askId: z.string().max(64),
})
export type Ask = z.infer<typeof Ask>

/** Work that is done after a response: `match` asks the agents with the capability, `close` ends what other agents were asked. */
const Job = z.strictObject({
  /** `<introduction id> <kind>`. */
  id: z.string().max(64),
  introductionId: IntroductionId,
  kind: z.enum(['match', 'close']),
  from: AgentId,
  /** When an instance may claim the job. A claim moves it on, so that the job is done again if the instance crashes. */
  dueAt: z.int(),
  expiresAt: z.int(),
})
type Job = z.infer<typeof Job>

export interface CapabilityStore {
  readonly requests: Collection<CapabilityRequest>
  readonly asks: Collection<Ask>
  readonly jobs: Collection<Job>
}

export const CAPABILITY_REQUESTS: OwnedSpec<CapabilityRequest> = {
  name: 'capability-requests',
  schema: CapabilityRequest,
  key: 'id',
  indexes: { from: { fields: ['from', 'createdAt'] }, fromOrg: { fields: ['fromOrg', 'createdAt'] } },
  expires: 'purgeAt',
  ownedBy: ['fromOrg'],
}

export const CAPABILITY_ASKS: OwnedSpec<Ask> = {
  name: 'capability-asks',
  schema: Ask,
  key: 'askId',
  indexes: { to: { fields: ['to', 'createdAt'] }, toOrg: { fields: ['toOrg', 'createdAt'] }, request: { fields: ['id', 'createdAt'] } },
  expires: 'purgeAt',
  ownedBy: ['fromOrg', 'toOrg'],
}

export const CAPABILITY_JOBS: OwnedSpec<Job> = {
  name: 'capability-jobs',
  schema: Job,
  key: 'id',
  indexes: { due: { fields: ['dueAt'] } },
  expires: 'expiresAt',
  ownedBy: ['from'],
}

export const capabilityStore = ({ storage }: { readonly storage: Storage }): CapabilityStore => ({
  requests: storage.collection(CAPABILITY_REQUESTS),
  asks: storage.collection(CAPABILITY_ASKS),
  jobs: storage.collection(CAPABILITY_JOBS),
})

/** True for an ask: a pending introduction that one agent was asked for because of a capability. It becomes an ordinary introduction when that agent approves. */
export const isAsk = (introduction: Introduction | Ask): introduction is Ask => 'askId' in introduction

export const askIdOf = (id: IntroductionId, orgId: OrgId): string => `${id} ${orgId}`

export const newJob = (
  { id, from, pendingUntil }: Pick<CapabilityRequest, 'id' | 'from' | 'pendingUntil'>,
  kind: Job['kind'],
  dueAt: number,
): Job => ({
  id: `${id} ${kind}`,
  introductionId: id,
  kind,
  from,
  dueAt,
  expiresAt: pendingUntil,
})
