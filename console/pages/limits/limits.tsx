import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList, useQuery } from '../../api/use-query.js'
import { Field } from '../../ui/forms/fields.js'
import { Empty, ErrorNote, Result } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Code, Command, Foreign } from '../../ui/text.js'
import { Bar } from './bar.js'
import { Webhooks } from './webhooks.js'

type LimitsView = Output<'limits.get'>
type LimitName = keyof LimitsView['limits']

const LABELS: Readonly<Record<LimitName, string>> = {
  tokenRequestsPerSecond: 'Token requests per second and client',
  creationsPerSecond: 'Creations per second and client',
  openTasks: 'Open tasks per client',
  introductionsPerPair: 'Introductions from one agent to another',
  introductionsPerTarget: 'Introductions to one agent',
  agents: 'Agents of the organisation',
  sockets: 'Open sockets per client and instance',
}
const NAMES = Object.keys(LABELS) as LimitName[] // the keys of the table
/** The largest value counts as no limit. */
const NO_LIMIT = 1_000_000

/** The limits of the organisation, what is used of them, and the webhooks. Operators name another organisation in the address. */
export function Limits() {
  const { viewer } = useConsole()
  const { query } = useLocation()
  const { organisation } = query
  const input = organisation === undefined ? {} : { organisation }
  const limits = useQuery('limits.get', input)
  return (
    <Page title="Limits">
      {organisation !== undefined && (
        <p>
          Of the organisation <Code>{organisation}</Code>. <a href="/console/limits">Your own</a>
        </p>
      )}
      <Usage input={input} />
      <Section title="Limits in force">
        <Result of={limits}>{(view) => <LimitsForm key={JSON.stringify(view)} view={view} input={input} />}</Result>
      </Section>
      {(organisation === undefined || organisation === viewer.orgId) && <Webhooks />}
    </Page>
  )
}

function Usage({ input }: { readonly input: { readonly organisation?: string } }) {
  const usage = useQuery('limits.usage', { ...input, limit: 1 })
  const list = useList('limits.usage', input, ({ agentId }) => agentId)
  const limits = usage.data?.limits
  return (
    <Section title="Usage">
      <Result of={usage}>{(view) => <Bar label="Agents" used={view.agents} of={view.limits.agents} />}</Result>
      <Rows
        label="Usage of the agents"
        list={list}
        idOf={({ agentId }) => agentId}
        hrefOf={({ agentId }) => `/console/agents/${agentId}`}
        row={({ agentId, name, openTasks, sockets }) => (
          <>
            <a href={`/console/agents/${agentId}`}>
              <Foreign text={name} />
            </a>
            {limits && <Bar label="open tasks" used={openTasks} of={limits.openTasks} />}
            {limits && <Bar label="sockets" used={sockets} of={limits.sockets} />}
          </>
        )}
        empty={
          <Empty>
            <p>The organisation has no agent yet. Register one:</p>
            <Command text="credence agent register NAME" />
          </Empty>
        }
      />
    </Section>
  )
}

function LimitsForm({ view, input }: { readonly view: LimitsView; readonly input: { readonly organisation?: string } }) {
  const { limits, maximum } = view
  const set = useAction('limits.set', ['limits'])
  const [values, setValues] = useState<Partial<Record<LimitName, string>>>({})
  const shownOf = (name: LimitName) => values[name] ?? (limits[name] < maximum[name] ? String(limits[name]) : '')
  const save = (event: Event) => {
    event.preventDefault()
    const given = NAMES.filter((name) => shownOf(name).trim() !== '').map((name) => [name, Number(shownOf(name))])
    void set.run({ ...input, limits: Object.fromEntries(given) })
  }
  return (
    <form onSubmit={save}>
      <p class="hint">
        Empty: the highest value that you may set. A limit never revokes anything: it applies to what is created from now on.
      </p>
      <div class="columns">
        {NAMES.map((name) => (
          <div key={name}>
            <Field
              label={LABELS[name]}
              name={name}
              type="number"
              hint={maximum[name] >= NO_LIMIT ? 'no maximum' : `at most ${maximum[name]}`}
              value={shownOf(name)}
              onInput={(text) => setValues((before) => ({ ...before, [name]: text }))}
            />
          </div>
        ))}
      </div>
      <ErrorNote error={set.error} />
      <button type="submit" disabled={set.isRunning}>
        Set the limits
      </button>
    </form>
  )
}
