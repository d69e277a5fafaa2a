import type { ComponentChildren } from 'preact'
import { CredenceError } from '../../src/errors.js'

/** Why a call was refused: its code, what to do, and which parts of the input are at fault. */
export function ErrorNote({ error }: { readonly error: unknown }) {
  if (error === undefined) return null
  if (!(error instanceof CredenceError)) return <Problem text={String(error)} />
  if (error.reason === 'login_required') return <SessionEnded />
  return (
    <div class="error" role="alert">
      <p>
        <code>{error.reason}</code> {error.message}
      </p>
      {error.faults.length > 0 && (
        <ul>
          {error.faults.map(({ pointer, hint }) => (
            <li key={pointer}>
              <code>{pointer || '(whole)'}</code> {hint}
            </li>
          ))}
        </ul>
      )}
      {error.requestId !== undefined && (
        <p class="hint">
          Request <code>{error.requestId}</code>
        </p>
      )}
    </div>
  )
}

export const SessionEnded = () => (
  <p class="error" role="alert">
    Your session has ended. <a href="/sign-in">Sign in</a>
  </p>
)

const Problem = ({ text }: { readonly text: string }) => (
  <p class="error" role="alert">
    {text}
  </p>
)

/** What to do where a list is empty. */
export const Empty = ({ children }: { readonly children: ComponentChildren }) => <div class="note">{children}</div>

export const Loading = () => <output class="hint">Loading…</output>

/** Shows the result of a query, or its error, or that it is being read. */
export function Result<T>({
  of,
  children,
}: {
  readonly of: { readonly data?: T; readonly error?: unknown; readonly isLoading: boolean }
  readonly children: (data: T) => ComponentChildren
}) {
  return (
    <>
      <ErrorNote error={of.error} />
      {of.data === undefined ? of.isLoading && <Loading /> : children(of.data)}
    </>
  )
}
