import { useList } from '../../api/use-query.js'
import { Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Foreign, Name, State, Time } from '../../ui/text.js'

/** The child tasks of a task, and theirs. */
export function ChildTasks({ taskId, mayCreate }: { readonly taskId: string; readonly mayCreate: boolean }) {
  const list = useList('tasks.list', { under: taskId }, (task) => task.taskId)
  return (
    <Section title="Child tasks">
      <Result of={{ ...list, ...(!list.isLoading || list.items.length > 0 ? { data: list.items } : {}) }}>
        {(items) =>
          items.length === 0 ? (
            <p>There is no child task that you can see.</p>
          ) : (
            <ul class="items">
              {items.map((task) => (
                <li key={task.taskId}>
                  <a href={`/console/tasks/${task.taskId}`}>
                    <Foreign text={task.description} />
                  </a>{' '}
                  <State state={task.state} />
                  <p class="hint">
                    of <Name id={task.owner} />, deadline <Time at={task.deadline} />
                    {task.parentTaskId !== taskId && (
                      <>
                        , under <code>{task.parentTaskId}</code>
                      </>
                    )}
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Result>
      {list.hasMore && (
        <button type="button" class="quiet" onClick={list.readMore}>
          Show older child tasks
        </button>
      )}
      {mayCreate && (
        <p>
          <a href={`/console/tasks/create?parent=${taskId}`}>Create a child task</a>
        </p>
      )}
    </Section>
  )
}
