import type { ComponentChildren } from 'preact'
import { useConsole } from '../../api/console.js'
import type { Item, Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Empty, ErrorNote, Loading } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Code, Command, Foreign, Name, Time } from '../../ui/text.js'

interface Need {
  readonly id: string
  readonly href: string
  /** The text of the link. */
  readonly verb: string
  readonly what: ComponentChildren
}

/** Rows of one list that are looked through. */
const LOOKED_THROUGH = 100
const STAFF = ['member', 'administrator', 'operator']
const ADMINISTRATORS = ['administrator', 'operator']

/** What waits for the viewer, or will stop to work. */
export function Needs() {
  const { viewer } = useConsole()
  const isStaff = STAFF.includes(viewer.role)
  const approvals = useQuery('approvals.list', isStaff ? { role: 'to', state: 'pending', limit: LOOKED_THROUGH } : undefined)
  const agents = useQuery('agents.list', { limit: LOOKED_THROUGH })
  const cards = useQuery(
    'discovery.search',
    isStaff ? { organisation: viewer.orgId, includeNonconformant: true, limit: LOOKED_THROUGH } : undefined,
  )
  const namespaces = useQuery('namespaces.list', isStaff ? {} : undefined)
  const webhooks = useQuery('webhooks.list', ADMINISTRATORS.includes(viewer.role) ? {} : undefined)
  const status = useQuery('system.status', {})
  const all = [approvals, agents, cards, namespaces, webhooks, status]
  const needs = [
    ...(approvals.data?.items ?? []).map(needOfApproval),
    ...(agents.data?.items ?? []).flatMap(needsOfAgent),
    ...(cards.data?.hits ?? []).flatMap(needsOfCard),
    ...(namespaces.data?.items ?? []).flatMap(needsOfNamespace),
    ...(webhooks.data?.items ?? []).flatMap(needsOfWebhook),
    ...(status.data?.instance?.warnings ?? []).map((text) => ({
      id: text,
      href: '/console/log',
      verb: 'Registry',
      what: <Foreign text={text} />,
    })),
  ]
  return (
    <Section title="Needs you">
      {all.map(({ error }, i) => (
        <ErrorNote key={i.toString()} error={error} />
      ))}
      {needs.length > 0 && (
        <ul class="items">
          {needs.map(({ id, href, verb, what }) => (
            <li key={id}>
              <a href={href}>{verb}</a> {what}
            </li>
          ))}
        </ul>
      )}
      {needs.length === 0 && all.some(({ isLoading }) => isLoading) && <Loading />}
      {needs.length === 0 && !all.some(({ isLoading, error }) => isLoading || error !== undefined) && (
        <Empty>
          <p>
            Nothing waits for you. {isStaff ? 'Register an agent here, or on its machine:' : 'Let an agent on your device act for you:'}
          </p>
          <Command text={isStaff ? 'credence agent register NAME' : `credence agent connect NAME --registry ${viewer.issuer}`} />
        </Empty>
      )}
    </Section>
  )
}

const needOfApproval = ({ approvalId, from, to, purpose }: Item<'approvals.list'>): Need => ({
  id: approvalId,
  href: approvalId.startsWith('int_') ? `/console/introductions/${approvalId}` : '/console/inbox',
  verb: 'Decide',
  what: (
    <>
      <Name id={from} link={false} /> asks for {to === undefined ? 'any agent with a capability' : <Name id={to} link={false} />}:{' '}
      <Foreign text={purpose} />
    </>
  ),
})

function needsOfAgent({ agentId, name, state, keysRetireAt }: Item<'agents.list'>): readonly Need[] {
  const need = (verb: string, what: ComponentChildren): Need => ({
    id: `${agentId} ${verb}`,
    href: `/console/agents/${agentId}`,
    verb,
    what,
  })
  const shown = <Foreign text={name} />
  return [
    ...(state === 'registered' ? [need('Confirm agent', <>{shown} has no key yet</>)] : []),
    ...(keysRetireAt !== undefined
      ? [
          need(
            'Add a key',
            <>
              {shown} can authenticate until <Time at={keysRetireAt} />
            </>,
          ),
        ]
      : []),
  ]
}

/** Verdicts that need nothing: a signature is not required. */
const QUIET = ['signed', 'verified', 'unsigned']

function needsOfCard({ agentId, text, verdict }: Output<'discovery.search'>['hits'][number]): readonly Need[] {
  if (QUIET.includes(verdict.state) && verdict.hints.length === 0) return []
  const what = (
    <>
      <Foreign text={text.name} />: {verdict.state} <Foreign text={verdict.hints.join('; ')} />
    </>
  )
  return [{ id: `card ${agentId}`, href: `/console/cards/${agentId}`, verb: 'Check card', what }]
}

function needsOfNamespace({ name, state }: Item<'namespaces.list'>): readonly Need[] {
  if (!['pending', 'failing', 'lapsed'].includes(state)) return []
  return [{ id: `namespace ${name}`, href: '/console/namespaces', verb: 'Prove namespace', what: <Code>{`${name} (${state})`}</Code> }]
}

function needsOfWebhook({ webhookId, url, failingSince, offSince }: Item<'webhooks.list'>): readonly Need[] {
  if (failingSince === undefined && offSince === undefined) return []
  const what = (
    <>
      <Foreign text={url} /> {offSince === undefined ? 'fails since' : 'is off since'} <Time at={offSince ?? failingSince} />
    </>
  )
  return [{ id: webhookId, href: '/console/limits', verb: 'Check webhook', what }]
}
