import { Foreign } from '../../http/pages/foreign.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { Time } from '../../http/pages/time.js'
import type { Route } from '../../http/route.js'
import { idIn, personForm } from '../../identity/people/person-routes.js'
import type { PersonCaller } from '../../identity/people/session.js'
import { HOME, type SignInDeps } from '../../identity/people/sign-in.js'
import type { AccountSection } from '../../identity/people/you-page.js'
import { TaskId } from '../../protocol/ids.js'
import type { TaskDeps } from './authority.js'
import { endTask } from './end.js'
import { viewOf } from './get.js'
import { pauseTask, resumeTask } from './pause.js'

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
                <>
                  <Form {...formOf(taskId, state === 'active' ? 'pause' : 'resume', person)}>
                    <button class="quiet small" type="submit" aria-label={`${state === 'active' ? 'Pause' : 'Resume'} the task ${taskId}`}>
                      {state === 'active' ? 'Pause' : 'Resume'}
                    </button>
                  </Form>
                  <Form {...formOf(taskId, 'end', person)}>
                    <button class="danger small" type="submit" aria-label={`End the task ${taskId}`}>
                      End
                    </button>
                  </Form>
                </>
              )}
            </li>
          ))}
        </ul>
      </section>
    )
  }

const OPERATIONS = {
  end: (deps: TaskDeps, person: PersonCaller, id: TaskId) => endTask(deps, person, id, { reason: 'user_request' }),
  pause: pauseTask,
  resume: resumeTask,
} as const
type Operation = keyof typeof OPERATIONS

const formOf = (taskId: TaskId, operation: Operation, { formKey }: PersonCaller) => ({
  action: `/you/tasks/${taskId}/${operation}`,
  formKey,
  purpose: `tasks.${operation}`,
  subject: taskId,
})

export const taskForms = (deps: SignInDeps & TaskDeps): Route[] =>
  (['end', 'pause', 'resume'] as const).map((operation) =>
    personForm(
      deps,
      `/you/tasks/:taskId/${operation}`,
      { purpose: `tasks.${operation}`, subjectOf: ({ params }) => params.taskId ?? '' },
      async (person, _, { params }) => {
        await OPERATIONS[operation](deps, person, idIn(TaskId, params.taskId))
        return seeOther(HOME)
      },
    ),
  )
