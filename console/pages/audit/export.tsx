import { clientClock } from '../../../src/lib/clock.js'
import type { Output } from '../../api/procedures.js'
import { ErrorNote } from '../../ui/notes.js'
import type { AuditFilter } from './filter.js'
import { usePages } from './use-pages.js'

const LINES = 500

/** Saves the filtered rows as a file of JSON Lines, oldest first. The page collects them; nothing is stored at the registry. */
export function Export({ filter }: { readonly filter: AuditFilter }) {
  const add = (sum: readonly string[] = [], { items }: Output<'audit.export'>) => [
    ...sum,
    ...items.map((row) => `${JSON.stringify(row)}\n`),
  ]
  const { sum, isRunning, isDone, error, run, stop } = usePages('audit.export', { ...filter, limit: LINES }, add)
  const save = async () => {
    const lines = await run()
    if (lines !== undefined) download(lines, `credence-audit-${clientClock.now()}.jsonl`)
  }
  return (
    <>
      <button type="button" class="quiet" onClick={save} disabled={isRunning}>
        Export as JSON Lines
      </button>
      {isRunning && (
        <button type="button" class="quiet" onClick={stop}>
          Stop
        </button>
      )}
      <output class="hint">
        {sum !== undefined && `${sum.length} rows ${isDone ? 'saved' : 'read'}.`}{' '}
        {isDone && 'Rows of the last 30 seconds may be missing and appear in a later export.'}
      </output>
      <ErrorNote error={error} />
    </>
  )
}

function download(lines: readonly string[], name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([...lines], { type: 'application/jsonl' }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
