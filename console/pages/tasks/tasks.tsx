import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useList } from '../../api/use-query.js'
import { Choice } from '../../ui/forms/fields.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, Name, State, Time } from '../../ui/text.js'

const STATES = [
  ['', 'Any state'],
  ['active', 'Active'],
  ['paused', 'Paused'],
  ['expired', 'Expired'],
  ['ended', 'Ended'],
] as const

/** The tasks of the viewer, or of its organisation. The address has the state that is shown. */
export function Tasks() {
  const { viewer } = useConsole()
  const { query, path, route } = useLocation()
  const [state = ''] = STATES.find(([known]) => known === query.state) ?? []
  const list = useList('tasks.list', state === '' ? {} : { state }, ({ taskId }) => taskId)
  const hrefOf = ({ taskId }: { readonly taskId: string }) => `/console/tasks/${taskId}`
  return (
    <Page
      title="Tasks"
      actions={
        <a class="button" href="/console/tasks/create">
          Create a task
        </a>
      }
    >
      <Choice
        label="State"
        name="state"
        options={STATES}
        value={state}
        onChange={(value) => route(value === '' ? path : `${path}?state=${value}`, true)}
      />
      <Rows
        label="Tasks"
        list={list}
        idOf={({ taskId }) => taskId}
        hrefOf={hrefOf}
        row={(task) => (
          <>
            <a href={hrefOf(task)}>
              <Foreign text={task.description} />
            </a>
            <State state={task.state} />
            {task.owner !== viewer.id && (
              <span>
                of <Name id={task.owner} link={false} />
              </span>
            )}
            <span class="hint">
              created <Time at={task.createdAt} />, deadline <Time at={task.deadline} />
            </span>
          </>
        )}
        empty={
          <Empty>
            <p>
              {state === '' ? 'There is no task' : `There is no task in the state ${state}`}. A task is the purpose for which tokens are
              issued: when it ends, its tokens are revoked. Create one here, or as an agent:
            </p>
            <Command text={'credence task create "DESCRIPTION"'} />
          </Empty>
        }
      />
    </Page>
  )
}
