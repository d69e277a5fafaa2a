import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Foreign } from '../../../src/http/pages/foreign.js'
import { withoutUnprintable } from '../../../src/lib/io/printable.js'
import { useConsole } from '../../api/console.js'
import { looksLikeRegistry } from '../names/looks-like-registry.js'
import { ErrorNote } from '../notes.js'

/** A dialogue of the browser: it takes the focus, Escape closes it, and the focus returns. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}) {
  const element = useRef<HTMLDialogElement>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const isShown = useRef(true)
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    // What it says is read before the first control is reached
    heading.current?.focus()
    return () => {
      // The browser reports the end of a dialogue that is no longer there, too
      isShown.current = false
      dialog?.close()
    }
  }, [])
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onClose={() => isShown.current && onClose()}>
      <h2 id="dialog-title" tabIndex={-1} ref={heading}>
        {title}
      </h2>
      {children}
    </dialog>
  )
}

interface RevokeDialogProps {
  /** What happens, such as `Revoke the introduction`. */
  readonly title: string
  /** The word on the button. */
  readonly verb: string
  /** The person types this before the button works. A text of others. */
  readonly name: string
  /** The id of the thing, which stands beside its name. */
  readonly id?: string
  /** True if another organisation, or a program, chose the name: then a part of the id is typed in its place, because others may choose the same name. */
  readonly isForeign?: boolean
  /** False while what ends is being read. Default: true. */
  readonly isReady?: boolean
  readonly error?: unknown
  readonly isRunning: boolean
  /** Undefined after a refusal: the dialogue stays open and shows `error`. */
  readonly onConfirm: () => Promise<unknown>
  readonly onClose: () => void
  /** What ends with it. */
  readonly children: ComponentChildren
}

/** Characters of an id that a person types. */
const TYPED_OF_ID = 6

/** Asks for the name of what is revoked, because nothing undoes a revocation. */
export function RevokeDialog(props: RevokeDialogProps) {
  const { title, verb, name, id, isForeign = false, isReady = true, error, isRunning, onConfirm, onClose, children } = props
  const { viewer } = useConsole()
  const [typed, setTyped] = useState('')
  const byId = id !== undefined && (isForeign || looksLikeRegistry(name, viewer.issuer)) ? id : undefined
  const texts = byId === undefined ? [name] : [byId.slice(-TYPED_OF_ID)]
  const isTyped = [...texts, ...(id === undefined ? [] : [id])].some((text) => typeable(typed) === typeable(text))
  const confirm = async (event: Event) => {
    event.preventDefault()
    if ((await onConfirm()) !== undefined) onClose()
  }
  return (
    <Dialog title={title} onClose={onClose}>
      {id !== undefined && (
        <p>
          {name !== id && !id.startsWith(name) && (
            <>
              <Foreign text={name} />{' '}
            </>
          )}
          <code class="id">{id}</code>
        </p>
      )}
      {children}
      <p>
        <strong>This cannot be undone.</strong>
      </p>
      <form onSubmit={confirm}>
        <label for="confirm-name">
          {byId === undefined ? (
            <>
              Type <Foreign text={name} /> to confirm
            </>
          ) : (
            <>
              Type <code>{byId.slice(-TYPED_OF_ID)}</code>, the end of the id above, to confirm
            </>
          )}
        </label>
        <input id="confirm-name" value={typed} autocomplete="off" onInput={(event) => setTyped(event.currentTarget.value)} />
        <ErrorNote error={error} />
        <button type="submit" class="danger" disabled={!isTyped || !isReady || isRunning}>
          {verb}
        </button>
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Dialog>
  )
}

/** The part of a name that a person sees and can type: others choose names, and may put characters into them that nobody sees. */
const typeable = (name: string): string => withoutUnprintable(name).replaceAll(/\s+/g, ' ').trim().slice(0, 256)
