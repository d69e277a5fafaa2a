import type { Clock } from '../lib/clock.js'
import type { SubProfile } from '../protocol/claims.js'
import { REVOCATION_INPUT, type RevocationReason } from '../protocol/end-reason.js'
import type { IntroductionId, TaskId } from '../protocol/ids.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import type { Delegation } from '../protocol/rights.js'
import type { Calls } from './call.js'

/**
 * How something ended; absent while it stands. Who ended it and why are for the organisations that the audit row concerns. Times are in
 * epoch seconds.
 */
export interface Ended extends Partial<RevocationReason> {
  readonly endedAt?: number
  /** Agent id or member id. */
  readonly endedBy?: string
  /** The handles that it depends on: it has changed once the revocation feed names one of them. */
  readonly handles: readonly string[]
}

export interface Task extends Ended {
  readonly taskId: TaskId
  /** Agent id or member id. */
  readonly owner: string
  /** `paused`: the task or a parent is paused, and has no tokens until it is resumed. */
  readonly state: 'active' | 'paused' | 'ended' | 'expired'
  readonly description: string
  readonly parentTaskId?: TaskId
  readonly deadline: number
  readonly createdAt: number
  /**
   * `limit` as it was created; from `get` also `reserved`, what tokens may use that their audiences have not settled, and `used`, what audiences have
   * settled.
   */
  readonly budget?: { readonly limit: Budget; readonly reserved?: Budget; readonly used?: Budget }
}

/** Calls, and units, of which a call costs as many as the resource says. */
export interface Budget {
  readonly calls?: number
  readonly units?: number
}

interface TaskOptions {
  readonly description: string
  readonly parentTaskId?: string
  readonly seconds?: number
  /** The most that the tokens of the task and of its child tasks may be used for. Default: as the parent task. */
  readonly budget?: Budget
}

const TASK_OPTIONS: OptionNames<TaskOptions> = { description: true, parentTaskId: true, seconds: true, budget: true }

/** The page of a list to read. `cursor` is from the previous response. */
export interface PageOptions {
  /** 1 to 100. Default: 20. */
  readonly limit?: number
  readonly cursor?: string
}

export const PAGE_OPTIONS: OptionNames<PageOptions> = { limit: true, cursor: true }

interface TaskListOptions extends PageOptions {
  readonly state?: 'active' | 'paused' | 'expired' | 'ended'
  /** Only the child tasks of this task, and theirs. */
  readonly under?: string
}
const LIST_OPTIONS: OptionNames<TaskListOptions> = { ...PAGE_OPTIONS, state: true, under: true }

export interface Tasks {
  create(task: TaskOptions): Promise<{ taskId: TaskId; deadline: number }>
  /** Ends the tokens of the task and of its child tasks; there are no new ones until it is resumed. */
  pause(taskId: string): Promise<{ readonly taskId: TaskId; readonly isPaused: boolean }>
  resume(taskId: string): Promise<{ readonly taskId: TaskId; readonly isPaused: boolean }>
  end(taskId: string, because?: Partial<RevocationReason>): Promise<{ position: string }>
  get(taskId: string): Promise<Task>
  /** The tasks of this agent, or of the organisation of this member, newest first. */
  list(options?: TaskListOptions): Promise<{ readonly items: readonly Task[]; readonly cursor?: string }>
}

export const newTasks = (clock: Pick<Clock, 'now'>, { query, mutate }: Calls): Tasks => ({
  create: async (options) => {
    requireOptions('tasks.create', options, TASK_OPTIONS)
    const { seconds, ...task } = options
    return mutate('tasks.create', { ...task, ...(seconds !== undefined && { deadline: clock.now() + seconds }) })
  },
  pause: (taskId) => mutate('tasks.pause', { taskId }),
  resume: (taskId) => mutate('tasks.resume', { taskId }),
  end: async (taskId, because = {}) => {
    requireOptions('tasks.end', because, REVOCATION_INPUT)
    return mutate('tasks.end', { taskId, ...because })
  },
  get: (taskId) => query('tasks.get', { taskId }),
  list: async (options = {}) => {
    requireOptions('tasks.list', options, LIST_OPTIONS)
    return query('tasks.list', options)
  },
})

/** A token in the lineage of a task or of another token. */
export interface LineageNode extends Ended {
  readonly tokenId: string
  readonly parents: readonly string[]
  readonly clientId: string
  readonly sub: string
  /** The kind of the subject: an agent, an external client or a person. */
  readonly subProfile: SubProfile
  readonly audience: string
  readonly scope: string
  /** The actors in the order in which the token passed through them. */
  readonly act: readonly string[]
  /** The kind of each actor. */
  readonly actProfiles: readonly SubProfile[]
  readonly taskId?: TaskId
  /** The introduction under which the token was issued; a root token has none. */
  readonly introductionId?: IntroductionId
  readonly issuedAt: number
  readonly expiresAt: number
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: Delegation
  /** The number of calls that its audience accepts with the token. */
  readonly maxCalls?: number
  /** Calls and units that the audience has settled. */
  readonly usedCalls?: number
  readonly usedUnits?: number
  /** True if the token was revoked before it expired. */
  readonly revoked: boolean
}

export type LineageSubject = { readonly taskId: string } | { readonly tokenId: string }

const LINEAGE_OPTIONS: OptionNames<{ taskId?: string; tokenId?: string }> = { taskId: true, tokenId: true }

export async function readLineage({ query }: Calls, subject: LineageSubject): Promise<readonly LineageNode[]> {
  requireOptions('lineage', subject, LINEAGE_OPTIONS)
  return (await query<{ nodes: LineageNode[] }>('tokens.lineage', subject)).nodes
}
