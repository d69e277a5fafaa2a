import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { QueryState } from '../../api/cache.js'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { countText } from '../../ui/dialogs/counted.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { useNow } from '../../ui/use-now.js'
import { Budget } from './budget.js'
import { ChildTasks } from './child-tasks.js'
import { activeOf, isOfTask, type TokenNode } from './lineage.js'
import { TaskActions } from './task-actions.js'
import { TokenDetails } from './token-details.js'
import { TokenTree } from './token-tree.js'

type Task = Output<'tasks.get'>
type Lineage = Output<'tokens.lineage'>

/** A task: its tokens as a tree, its budget, and its child tasks. */
export function TaskPage({ taskId }: { readonly taskId: string }) {
  const task = useQuery('tasks.get', { taskId })
  const lineage = useQuery('tokens.lineage', { taskId })
  return (
    <Page title="Task" about={task.data?.description}>
      <Result of={task}>{(data) => <TaskView key={taskId} task={data} lineage={lineage} />}</Result>
    </Page>
  )
}

function TaskView({ task, lineage }: { readonly task: Task; readonly lineage: QueryState<Lineage> }) {
  const { viewer, cache } = useConsole()
  const { nodes, isComplete } = lineage.data ?? { nodes: [], isComplete: false }
  const now = useNow(nodes.map(({ expiresAt }) => expiresAt))
  const active = activeOf(nodes, now)
  const [ended, setEnded] = useState<{ readonly verb: string; readonly tokenIds: readonly string[] } | undefined>()
  const isAdmin = isAdministrator(viewer)
  const isOwner = task.owner === viewer.id
  const endedNow = nodes.filter(({ tokenId, revoked }) => revoked && ended?.tokenIds.includes(tokenId)).length
  return (
    <>
      <TaskFacts task={task} />
      {(isOwner || isAdmin) && (
        <p>
          <TaskActions
            task={task}
            active={active.filter(isOfTask)}
            isComplete={isComplete}
            onEnded={(verb, tokenIds) => setEnded({ verb, tokenIds })}
          />
        </p>
      )}
      {ended && (
        <output class="note">
          {ended.verb}. {endedNow} of {countText(ended.tokenIds.length, 'active token')} ended.
        </output>
      )}
      {isAdmin && (
        <p>
          <a href={`/console/audit?taskId=${task.taskId}`}>Audit rows of this task</a>
        </p>
      )}
      <Budget budget={task.budget} />
      <Section title="Tokens">
        <Result of={lineage}>
          {(data) =>
            nodes.length === 0 ? (
              <p>No token has been issued for this task yet. An agent gets one when it exchanges its token and names the task.</p>
            ) : (
              <>
                <p>
                  {active.filter(isOfTask).length} active of {countText(nodes.filter(isOfTask).length, 'token')}, below the root tokens from
                  which they came
                  {!isComplete && ' (there are more, which are not shown)'}{' '}
                  <button type="button" class="quiet small" onClick={() => cache.invalidate(['tokens', 'tasks'])}>
                    Look for new tokens
                  </button>
                </p>
                <Tokens lineage={data} now={now} mayRevoke={({ clientId }) => clientId === viewer.id || isAdmin} />
              </>
            )
          }
        </Result>
      </Section>
      <ChildTasks taskId={task.taskId} mayCreate={isOwner && (task.state === 'active' || task.state === 'paused')} />
    </>
  )
}

interface TokensProps {
  readonly lineage: Lineage
  readonly now: number
  readonly mayRevoke: (node: TokenNode) => boolean
}

/** The tree, and the details of the token that the address names. */
function Tokens({ lineage: { nodes, isComplete }, now, mayRevoke }: TokensProps) {
  const { query, path, route } = useLocation()
  const selected = nodes.find(({ tokenId }) => tokenId === query.token)
  return (
    <>
      <TokenTree nodes={nodes} now={now} selected={selected?.tokenId} onSelect={(tokenId) => route(`${path}?token=${tokenId}`, true)} />
      {selected ? (
        <TokenDetails
          key={selected.tokenId}
          node={selected}
          nodes={nodes}
          isComplete={isComplete}
          now={now}
          mayRevoke={mayRevoke(selected)}
        />
      ) : (
        <p class="hint">Choose a token to see its details. Arrow keys move, Enter chooses.</p>
      )}
    </>
  )
}

function TaskFacts({ task }: { readonly task: Task }) {
  return (
    <Facts
      of={{
        Description: <Foreign text={task.description} />,
        State: <State state={task.state} />,
        Id: <Code>{task.taskId}</Code>,
        Owner: <Name id={task.owner} />,
        'Parent task': task.parentTaskId && (
          <a href={`/console/tasks/${task.parentTaskId}`}>
            <Code>{task.parentTaskId}</Code>
          </a>
        ),
        Created: <Time at={task.createdAt} />,
        Deadline: <Time at={task.deadline} />,
        Ended: task.endedAt !== undefined && (
          <>
            <Time at={task.endedAt} />
            {task.endedBy && (
              <>
                {' '}
                by <Name id={task.endedBy} />
              </>
            )}
            {task.reason && `, ${task.reason.replaceAll('_', ' ')}`} {task.note && <Foreign text={task.note} />}
          </>
        ),
      }}
    />
  )
}
