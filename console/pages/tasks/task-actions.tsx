import { useState } from 'preact/hooks'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { nameToType } from '../../ui/dialogs/confirm-name.js'
import { countText } from '../../ui/dialogs/counted.js'
import { Dialog, RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ErrorNote } from '../../ui/notes.js'
import { Code, Foreign } from '../../ui/text.js'
import type { TokenNode } from './lineage.js'
import { TokenNames } from './token-details.js'

interface TaskActionsProps {
  readonly task: Output<'tasks.get'>
  /** Tokens of the task that stand. */
  readonly active: readonly TokenNode[]
  readonly isComplete: boolean
  /** Called with the tokens that the action has ended. */
  readonly onEnded: (verb: string, tokenIds: readonly string[]) => void
}

/** Pauses, resumes and ends a task. */
export function TaskActions({ task, active, isComplete, onEnded }: TaskActionsProps) {
  const { taskId, state } = task
  const [asked, ask] = useState<'pause' | 'end' | undefined>()
  const changes = ['tasks', 'tokens']
  const [pause, resume, end] = [useAction('tasks.pause', changes), useAction('tasks.resume', changes), useAction('tasks.end', changes)]
  const close = () => ask(undefined)
  const what = { active, isComplete }
  if (state !== 'active' && state !== 'paused') return null
  return (
    <>
      {state === 'active' ? (
        <button type="button" class="quiet" onClick={() => ask('pause')}>
          Pause
        </button>
      ) : (
        <button type="button" disabled={resume.isRunning} onClick={() => void resume.run({ taskId })}>
          Resume
        </button>
      )}
      <button type="button" class="danger" onClick={() => ask('end')}>
        End
      </button>
      <ErrorNote error={resume.error} />
      {asked === 'pause' && (
        <Dialog title="Pause the task" onClose={close}>
          <p>
            <Foreign text={task.description} /> <Code>{taskId}</Code>
          </p>
          <EndingTokens {...what} taskId={taskId} />
          <p>No new tokens are issued for it until it is resumed. Tokens that are revoked now stay revoked. Introductions stay valid.</p>
          <ErrorNote error={pause.error} />
          <button
            type="button"
            disabled={pause.isRunning}
            onClick={async () => {
              if (!(await pause.run({ taskId }))) return
              onEnded('Paused', idsOf(active))
              close()
            }}
          >
            Pause
          </button>
          <button type="button" class="quiet" onClick={close}>
            Cancel
          </button>
        </Dialog>
      )}
      {asked === 'end' && (
        <RevokeDialog
          title="End the task"
          verb="End the task"
          name={nameToType(task.description, taskId)}
          id={taskId}
          isForeign
          isRunning={end.isRunning}
          error={end.error}
          onClose={close}
          onConfirm={async () => {
            const result = await end.run({ taskId, reason: 'user_request' })
            if (result) onEnded('Ended', idsOf(active))
            return result
          }}
        >
          <p>
            <Foreign text={task.description} />
          </p>
          <EndingTokens {...what} taskId={taskId} />
        </RevokeDialog>
      )}
    </>
  )
}

const idsOf = (nodes: readonly TokenNode[]): readonly string[] => nodes.map(({ tokenId }) => tokenId)

function EndingTokens({ taskId, active, isComplete }: { readonly taskId: string } & Pick<TaskActionsProps, 'active' | 'isComplete'>) {
  const input = { under: taskId, state: 'active' as const, limit: 100 }
  const children = useQuery('tasks.list', input).data
  const more = children?.cursor === undefined ? '' : 'more than '
  return (
    <>
      <p>
        {isComplete ? '' : 'More than '}
        {countText(active.length, 'active token')} will end
        {children && children.items.length > 0 && `, also those of ${more}${countText(children.items.length, 'active child task')}`}.
      </p>
      <TokenNames nodes={active} />
    </>
  )
}
