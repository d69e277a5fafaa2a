import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { counted } from '../../ui/dialogs/counted.js'
import { useDone } from '../../ui/done.js'
import { Items } from '../../ui/items.js'
import { ErrorNote } from '../../ui/notes.js'
import { Foreign, Time } from '../../ui/text.js'

/** The browsers in which a member is signed in. */
export function Sessions({ memberId, isOwn }: { readonly memberId: string; readonly isOwn: boolean }) {
  const { viewer } = useConsole()
  const list = useWholeList('sessions.list', { memberId })
  const end = useAction('sessions.end', ['sessions'])
  const endAll = useAction('sessions.endAll', ['sessions'])
  const [done, say] = useDone()
  const signOutAll = async () => {
    const result = await endAll.run({ memberId })
    if (result) say(`Signed out: ${result.ended}. Keys and their tokens stay valid.`)
  }
  return (
    <>
      <ErrorNote error={end.error ?? endAll.error} />
      {done}
      <Items
        list={list}
        idOf={({ sessionId }) => sessionId}
        item={({ sessionId, signedInAt, lastUsedAt, expiresAt, browser, amr }) => (
          <>
            <Foreign text={browser || 'unknown browser'} />
            {sessionId === viewer.sessionId && <strong> (this browser)</strong>}
            <p class="hint">
              signed in <Time at={signedInAt} /> ({amr.join(', ')}), last used <Time at={lastUsedAt} />, ends <Time at={expiresAt} /> if
              unused
            </p>
            <button
              type="button"
              class="quiet small"
              aria-label={`Sign out the session ${sessionId}`}
              disabled={end.isRunning}
              onClick={async () => {
                if (await end.run({ sessionId })) say('The browser is signed out. Its tokens have ended.')
              }}
            >
              Sign out
            </button>
          </>
        )}
        empty={<p>Not signed in with any browser.</p>}
      />
      {list.items.length > 0 && (
        <button type="button" class="danger" disabled={endAll.isRunning} onClick={signOutAll}>
          Sign out everywhere ({counted(list, 'session')}
          {isOwn && ', also this one'})
        </button>
      )}
    </>
  )
}
