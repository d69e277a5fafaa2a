import { useConsole } from '../../api/console.js'
import { useLoaded } from '../../api/use-loaded.js'
import { Empty, Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Command, Time } from '../../ui/text.js'
import { checkCheckpoint, checkEntry, checkHistory, openLog } from './check.js'
import { Cosignatures } from './cosignatures.js'
import { Steps } from './steps.js'

/** One entry of the trust log, and the proof that the log contains it, checked in this page. */
export function LogEntry({ seq: text }: { readonly seq: string }) {
  const { viewer } = useConsole()
  const seq = /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined
  const checked = useLoaded(text, async () => {
    const source = await openLog(viewer.issuer)
    const { step, newest } = await checkCheckpoint(source)
    const entry = seq === undefined ? { steps: [] } : await checkEntry(source, seq, newest)
    const history = newest ? [await checkHistory(source, newest)] : []
    return { text: entry.text, note: newest?.note, steps: [step, ...entry.steps, ...history] }
  })
  return (
    <Page title={`Log entry ${text}`} actions={<a href="/console/log">All entries</a>}>
      <Result of={checked}>
        {({ text: bytes, note, steps }) => (
          <>
            {bytes === undefined ? (
              <Empty>
                <p>The log has no entry {text}. Choose one in the list of all entries.</p>
              </Empty>
            ) : (
              <Entry bytes={bytes} />
            )}
            <Section title="Checks in this browser">
              <Steps steps={steps} />
            </Section>
            {note !== undefined && <Cosignatures note={note} />}
            <Section title="Check it elsewhere">
              <p>To run the same checks on your own machine, and to keep a copy of the log that detects when it is rewritten:</p>
              <Command text={`credence log verify --registry ${viewer.issuer}`} />
            </Section>
          </>
        )}
      </Result>
      {seq !== undefined && (
        <p>
          {seq > 0 && (
            <a class="button" href={`/console/log/${seq - 1}`}>
              Entry {seq - 1}
            </a>
          )}
          {checked.data?.text !== undefined && (
            <a class="button" href={`/console/log/${seq + 1}`}>
              Entry {seq + 1}
            </a>
          )}
        </p>
      )}
    </Page>
  )
}

function Entry({ bytes }: { readonly bytes: string }) {
  const { type, time, ends } = JSON.parse(bytes) as { readonly type?: string; readonly time?: number; readonly ends?: readonly object[] }
  return (
    <Section title="The entry">
      <Facts
        of={{
          type: typeof type === 'string' && <Code>{type}</Code>,
          time: typeof time === 'number' && <Time at={time} />,
          ends: Array.isArray(ends) && (ends.length === 1 ? '1 handle' : `${ends.length} handles`),
        }}
      />
      <Command text={bytes} />
    </Section>
  )
}
