import { Foreign } from '../../http/pages/foreign.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { Time } from '../../http/pages/time.js'
import type { Route } from '../../http/route.js'
import { personForm } from '../../identity/people/person-routes.js'
import { HOME, type SignInDeps } from '../../identity/people/sign-in.js'
import type { AccountSection } from '../../identity/people/you-page.js'
import { TaskId } from '../../protocol/ids.js'
import type { TaskDeps } from './authority.js'
import { endTask } from './end.js'
import { viewOf } from './get.js'

const MAX_SHOWN = 50

/** The tasks of a person, newest first. */
export const tasksSection =
  (deps: TaskDeps): AccountSection =>
  async (person) => {
    const { items } = await deps.tasks.find('owner', { where: { owner: person.id }, order: 'down', limit: MAX_SHOWN })
    const views = await Promise.all(items.map((task) => viewOf(deps, person.barrier.now, task, deps.audit.history(person))))
    return (
      <section aria-labelledby="tasks">
        <h2 id="tasks">Your tasks</h2>
        {views.length === 0 && <p>You have no tasks.</p>}
        <ul class="items">
          {views.map(({ taskId, description, deadline, state }) => (
            <li key={taskId}>
              <Foreign text={description} /> <span>{state}</span>
              <p class="hint">
                <code>{taskId}</code>, until <Time at={deadline} />
              </p>
              {(state === 'active' || state === 'paused') && (
                <Form action={`/you/tasks/${taskId}/end`} formKey={person.formKey} purpose="tasks.end" subject={taskId}>
                  <button class="danger small" type="submit" aria-label={`End the task ${taskId}`}>
                    End
                  </button>
                </Form>
              )}
            </li>
          ))}
        </ul>
      </section>
    )
  }

export const taskForms = (deps: SignInDeps & TaskDeps): Route[] => [
  personForm(
    deps,
    '/you/tasks/:taskId/end',
    { purpose: 'tasks.end', subjectOf: ({ params }) => params.taskId ?? '' },
    async (person, _, { params }) => {
      await endTask(deps, person, TaskId.parse(params.taskId), { reason: 'user_request' })
      return seeOther(HOME)
    },
  ),
]
