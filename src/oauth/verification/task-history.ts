import type { Audit } from '../../audit/audit.js'
import type { AuditRow, AuditStore } from '../../audit/store.js'
import type { Profiles } from '../../delegation/uses/find.js'
import { profiledToken } from '../../delegation/uses/profile.js'
import { isUnusual, riskOf } from '../../delegation/uses/risk.js'
import { type AccessTokenClaims, presenterOf } from '../../protocol/claims.js'
import type { OrgId, TaskId } from '../../protocol/ids.js'
import type { Viewer } from './find-token.js'
import { type TaskContextDeps, type TokenTask, tasksOf } from './task-context.js'

export interface TaskHistoryDeps extends TaskContextDeps {
  readonly audit: Audit & { readonly store: Pick<AuditStore, 'rows'> }
  readonly profiles: Pick<Profiles, 'find'>
}

const MAX_EVENTS = 50
/** Audit rows of a task that are read in search of those that the caller may see. */
const MAX_READ = 500

/** The tasks of a token, the events of its own task, and how usual it is for its client. In wire spelling, for introspection. */
export async function taskHistoryOf(deps: TaskHistoryDeps, viewer: Viewer, claims: AccessTokenClaims, now: number) {
  const [tasks, profile] = await Promise.all([
    tasksOf(deps, viewer, claims, now, deps.audit.history(viewer)),
    deps.profiles.find(presenterOf(claims)),
  ])
  const [current, ...parents] = tasks
  const risk = riskOf(profile, profiledToken(claims))
  return {
    current_task: current ? summaryOf(current) : null,
    parent_tasks: parents.map(summaryOf),
    /** From the first task to the token's own. */
    task_chain: [...(claims.task_id ? [claims.task_id] : []), ...(claims.parent_task_ids ?? [])].reverse(),
    execution_pattern: risk.score === null ? ('unknown' as const) : isUnusual(risk) ? ('unusual' as const) : ('normal' as const),
    risk_assessment: risk.level,
    execution_logs: current ? await eventsOf(deps, current, claims) : [],
  }
}

const summaryOf = ({ id, state, description }: TokenTask) => ({
  task_id: id,
  state,
  ...(description !== undefined && { description }),
})

/** The newest events of the task. Those that concern other audiences are for the owner of the task, its organisation and operators. */
async function eventsOf({ audit }: TaskHistoryDeps, { id, isOwn, task }: TokenTask, claims: AccessTokenClaims) {
  const orgIds = [...new Set([task.orgId, ...(claims.organization_id ? [claims.organization_id] : [])])]
  const rows = (await Promise.all(orgIds.map((orgId) => rowsOf(audit.store, orgId, id)))).flat()
  const distinct = [...new Map(rows.map((row) => [row.id, row])).values()]
  return distinct
    .filter((row) => isOwn || audienceOfRow(row) === auditedAudience(claims.aud))
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    .slice(0, MAX_EVENTS)
    .map((row) => ({ event: row.action, time: row.createdAt, audience: audienceOfRow(row) ?? null, outcome: row.outcome }))
}

const rowsOf = async (store: Pick<AuditStore, 'rows'>, orgId: OrgId, taskId: TaskId): Promise<readonly AuditRow[]> =>
  (await store.rows.find('taskId', { where: { orgIds: orgId, taskId }, order: 'down', limit: MAX_READ })).items

/** An audience as the audit row of its token names it: the URI of a resource may be longer than a subject. */
export const auditedAudience = (audience: string): string => audience.slice(0, 128)

const audienceOfRow = ({ action, subject }: AuditRow): string | undefined => (action === 'oauth.token' ? subject : undefined)
