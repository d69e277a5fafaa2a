import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { Field } from '../../ui/forms/fields.js'
import { localText, secondsOf } from '../../ui/forms/local-time.js'
import { ErrorNote } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Foreign } from '../../ui/text.js'

const HOUR_SECONDS = 3600

/** Creates a task of the viewer. The query string may name its parent. */
export function CreateTask() {
  const { query, route } = useLocation()
  const { parent } = query
  const creation = useAction('tasks.create', ['tasks'])
  const [deadline, setDeadline] = useState(() => localText(Date.now() / 1000 + HOUR_SECONDS))
  const create = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const budget = { ...amountIn(form, 'calls'), ...amountIn(form, 'units') }
    const until = secondsOf(deadline)
    const created = await creation.run({
      description: String(form.get('description')),
      ...(parent !== undefined && { parentTaskId: parent }),
      ...(until !== undefined && { deadline: until }),
      ...(Object.keys(budget).length > 0 && { budget }),
    })
    if (created) route(`/console/tasks/${created.taskId}`)
  }
  return (
    <Page title={parent === undefined ? 'Create a task' : 'Create a child task'}>
      {parent !== undefined && <Parent taskId={parent} />}
      <form onSubmit={create}>
        <Field
          label="Description"
          name="description"
          required
          hint="What the task is for. Agents that work under it, and their organisations, may read it."
        />
        <Field
          label="Deadline"
          name="deadline"
          type="datetime-local"
          required
          value={deadline}
          onInput={setDeadline}
          hint="In your time zone, at most 30 days from now. All tokens of the task end then."
        />
        <fieldset>
          <legend>Budget</legend>
          <Field label="Calls" name="calls" type="number" hint="The most calls with all tokens of the task. Empty: no limit." />
          <Field
            label="Units"
            name="units"
            type="number"
            hint="The most that these calls may cost, in the units of the resources. Empty: no limit."
          />
        </fieldset>
        <ErrorNote error={creation.error} />
        <button type="submit" disabled={creation.isRunning}>
          Create
        </button>
      </form>
    </Page>
  )
}

const amountIn = (form: FormData, name: 'calls' | 'units') => (form.get(name) ? { [name]: Number(form.get(name)) } : {})

function Parent({ taskId }: { readonly taskId: string }) {
  const parent = useQuery('tasks.get', { taskId }, { isLive: false })
  return (
    <p>
      It ends with its parent task{' '}
      <a href={`/console/tasks/${taskId}`}>{parent.data ? <Foreign text={parent.data.description} /> : taskId}</a>.
    </p>
  )
}
