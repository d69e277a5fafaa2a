import { useState } from 'preact/hooks'
import type { EndReason } from '../../../src/protocol/end-reason.js'
import type { AgentId, Audience } from '../../../src/protocol/ids.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ReasonChoice } from '../../ui/dialogs/reason-fields.js'
import { Field } from '../../ui/forms/fields.js'
import { Code } from '../../ui/text.js'

/** The card that is withdrawn: the published one (`unpublish`), or one version. */
export interface Withdrawing {
  readonly version?: number
  readonly isCurrent: boolean
}

/** What ended, as far as it can be counted. */
export interface Withdrawn {
  readonly what: string
  readonly position: string
  readonly tokensBefore: number | undefined
}

interface WithdrawProps {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly name: string
  readonly isForeign: boolean
  readonly of: Withdrawing
  readonly onClose: () => void
  readonly onDone: (withdrawn: Withdrawn) => void
}

const CHANGES = ['cards', 'tokens', 'introductions', 'discovery']
/** As many tokens as are counted. */
const COUNTED = 100

/** The number of live tokens for the agent, as a text, and as a number. */
function useLiveTokens(audience: Audience | undefined): { readonly count: number | undefined; readonly text: string } {
  const { data } = useQuery('tokens.list', audience && { audience, alive: true, limit: COUNTED })
  const count = data?.items.length
  const text =
    count === undefined
      ? 'the live tokens'
      : `${count}${data?.cursor === undefined ? '' : ' or more'} live ${count === 1 ? 'token' : 'tokens'}`
  return { count, text }
}

/** Asks before a card or a version of it is withdrawn, and says what ends with it. */
export function WithdrawDialog({ agentId, audience, name, isForeign, of: { version, isCurrent }, onClose, onDone }: WithdrawProps) {
  const unpublish = useAction('cards.unpublish', CHANGES)
  const yank = useAction('cards.yank', CHANGES)
  const [reason, setReason] = useState<(typeof EndReason.options)[number]>('unspecified')
  const [note, setNote] = useState('')
  const tokens = useLiveTokens(audience)
  const because = { reason, ...(note.trim() !== '' && { note: note.trim() }) }
  const title = version === undefined ? 'Unpublish the card' : `Yank version ${version} of the card`
  const confirm = async () => {
    const done = version === undefined ? await unpublish.run({ agentId, ...because }) : await yank.run({ agentId, version, ...because })
    if (done)
      onDone({
        what: version === undefined ? 'The card was unpublished' : `Version ${version} was yanked`,
        position: done.position,
        tokensBefore: tokens.count,
      })
    return done
  }
  return (
    <RevokeDialog
      title={title}
      verb={version === undefined ? 'Unpublish' : 'Yank'}
      name={name}
      id={agentId}
      isForeign={isForeign}
      error={unpublish.error ?? yank.error}
      isRunning={unpublish.isRunning || yank.isRunning}
      onConfirm={confirm}
      onClose={onClose}
    >
      {isCurrent ? (
        <p>
          The card can no longer be read or found. Introductions to the agent cannot be used until another card is published and the agent
          approves them again, and their tokens are revoked. There {tokens.count === 1 ? 'is' : 'are'} {tokens.text} for it now.
        </p>
      ) : (
        <p>Introductions that were approved for this version need another approval. The current version stays published.</p>
      )}
      {version !== undefined && <p>The public history shows that the version was yanked, and the reason.</p>}
      <ReasonChoice value={reason} onChange={setReason} />
      <Field label="Note" name="note" value={note} onInput={setNote} hint={version === undefined ? NOTE : `${NOTE} It is public.`} />
    </RevokeDialog>
  )
}

const NOTE = 'Optional, at most 256 characters, without personal data.'

/** What ended with a withdrawal, after it. */
export function WithdrawnNote({ audience, of: { what, position, tokensBefore } }: { readonly audience: Audience; readonly of: Withdrawn }) {
  const tokens = useLiveTokens(audience)
  return (
    <div class="note" aria-live="polite">
      <p>
        {what} at position <Code>{position}</Code> of the log.
        {tokensBefore !== undefined &&
          tokens.count !== undefined &&
          ` Live tokens for the agent before: ${tokensBefore}, now: ${tokens.count}.`}
      </p>
    </div>
  )
}
