import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { verifyWholeLog } from '../../../src/client/log/log.js'
import { useConsole } from '../../api/console.js'
import { useLoaded } from '../../api/use-loaded.js'
import { Field } from '../../ui/forms/fields.js'
import { Empty, ErrorNote, Result } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Time } from '../../ui/text.js'
import { checkCheckpoint, checkHistory, openLog } from './check.js'
import { Cosignatures } from './cosignatures.js'
import { Steps } from './steps.js'
import { useLogEntries } from './use-log-entries.js'

/** The trust log: its entries, and the checks of its head in this page. */
export function Log() {
  const list = useLogEntries()
  const hrefOf = ({ seq }: { readonly seq: number }) => `/console/log/${seq}`
  return (
    <Page title="Trust log">
      <p>Every registration, grant and revocation has an entry. Entries are public. They contain handles and digests, no names.</p>
      <Head />
      <Section title="Entries">
        <GoTo />
        <Rows
          label="Entries, newest first"
          list={list}
          idOf={({ seq }) => String(seq)}
          hrefOf={hrefOf}
          row={(entry) => (
            <>
              <a href={hrefOf(entry)}>
                {entry.seq} {entry.type}
              </a>
              {entry.ends.length > 0 && <span class="state ended">ends {entry.ends.length}</span>}
              <span class="hint">
                <Time at={entry.time} />
              </span>
            </>
          )}
          empty={
            <Empty>
              <p>The log has no entries that this page can read. Ask the registry itself:</p>
              <Command text="credence log checkpoint" />
            </Empty>
          }
        />
      </Section>
    </Page>
  )
}

function Head() {
  const { viewer } = useConsole()
  const head = useLoaded('', async () => {
    const source = await openLog(viewer.issuer)
    const { step, newest } = await checkCheckpoint(source)
    return { note: newest?.note, size: newest?.size, steps: [step, ...(newest ? [await checkHistory(source, newest)] : [])] }
  })
  return (
    <>
      <Section title="The head of the log, checked in this browser">
        <Result of={head}>{({ steps }) => <Steps steps={steps} />}</Result>
        <WholeLog size={head.data?.size} />
      </Section>
      {head.data?.note !== undefined && <Cosignatures note={head.data.note} />}
    </>
  )
}

/** A larger log is verified by the command line. */
const MAX_WHOLE = 50_000
const STEP = 200

function WholeLog({ size }: { readonly size: number | undefined }) {
  const { viewer } = useConsole()
  const [state, setState] = useState<{ readonly entries: number; readonly isDone?: boolean; readonly error?: unknown }>()
  if (size === undefined) return null
  if (size > MAX_WHOLE) return <Command text={`credence log verify --registry ${viewer.issuer}`} />
  const verify = async () => {
    setState({ entries: 0 })
    try {
      const onRead = (entries: number) => entries % STEP === 0 && setState({ entries })
      const { entries } = await verifyWholeLog(await openLog(viewer.issuer), onRead)
      setState({ entries, isDone: true })
    } catch (error) {
      setState({ entries: 0, error })
    }
  }
  const isRunning = state !== undefined && !state.isDone && state.error === undefined
  return (
    <>
      <button type="button" class="quiet" onClick={verify} disabled={isRunning}>
        Verify all {size} entries
      </button>
      {isRunning && <progress aria-label="Entries read" value={state.entries} max={size} />}
      <output>{state?.isDone && `All ${state.entries} entries lead to the signed root.`}</output>
      <ErrorNote error={state?.error} />
    </>
  )
}

function GoTo() {
  const { route } = useLocation()
  const [seq, setSeq] = useState('')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        route(`/console/log/${seq}`)
      }}
    >
      <Field label="Number of an entry" name="seq" type="number" value={seq} onInput={setSeq} required />
      <button type="submit" class="quiet">
        Show it
      </button>
    </form>
  )
}
