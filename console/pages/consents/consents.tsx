import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { withoutUnprintable } from '../../../src/lib/io/printable.js'
import { shortened } from '../../../src/lib/text.js'
import { useConsole } from '../../api/console.js'
import { useList, useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Choice, Tick } from '../../ui/forms/fields.js'
import { NameOf } from '../../ui/names/name.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Foreign, Name, State, Time } from '../../ui/text.js'

const WEEK_SECONDS = 7 * 86_400

/** Consents of the viewer; for administrators also those of a person (`member`) or to a client (`client`), as the address says. */
export function Consents() {
  const { viewer } = useConsole()
  const { query, path, route } = useLocation()
  const { member, client, used } = query
  // Does not move while the page is shown: another time would be another list
  const [weekAgo] = useState(() => Math.floor(Date.now() / 1000) - WEEK_SECONDS)
  const input = {
    ...(member && { memberId: member }),
    ...(client && { client }),
    ...(used === 'week' && { usedSince: weekAgo }),
  }
  const list = useList('consents.list', input, ({ consentId }) => consentId)
  const hrefOf = ({ consentId }: { readonly consentId: string }) => `/console/consents/${consentId}`
  const show = (change: Readonly<Record<string, string>>) => {
    const wanted = Object.entries({ ...query, ...change }).filter(([, value]) => value !== '')
    route(wanted.length === 0 ? path : `${path}?${new URLSearchParams(wanted)}`, true)
  }
  const isOwn = (!member || member === viewer.id) && !client
  return (
    <Page title={isOwn ? 'What applications may do for you' : 'Consents'}>
      {isAdministrator(viewer) && <WhoseConsents member={member} client={client} show={show} />}
      <Tick checked={used === 'week'} onChange={(checked) => show({ used: checked ? 'week' : '' })}>
        Only those used in the last 7 days
      </Tick>
      <Rows
        label="Consents"
        list={list}
        idOf={({ consentId }) => consentId}
        hrefOf={hrefOf}
        row={(consent) => (
          <>
            <a href={hrefOf(consent)}>
              <PartyName name={consent.clientName} id={consent.client} /> at <PartyName name={consent.audienceName} id={consent.audience} />
            </a>
            {!isOwn && (
              <span>
                for <Name id={consent.memberId ?? consent.personId} link={false} />
              </span>
            )}
            <State state={consent.state} />
            <span class="hint">
              {consent.rights.map(({ scope }) => (
                <span key={scope}>
                  <Foreign text={scope} />{' '}
                </span>
              ))}
              until <Time at={consent.until} />, {consent.lastUsedAt === undefined ? 'not used yet' : 'last used '}
              {consent.lastUsedAt !== undefined && <Time at={consent.lastUsedAt} />}
            </span>
          </>
        )}
        empty={
          <Empty>
            <p>
              {used === 'week'
                ? 'No consent was used in the last 7 days.'
                : isOwn
                  ? 'No application may act for you.'
                  : 'There is no consent.'}{' '}
              An application asks you in the browser when it wants to act for you. A device shows a code, which you enter at{' '}
              <a href="/device">/device</a>.
            </p>
          </Empty>
        }
      />
    </Page>
  )
}

/** The client or audience under its own name. Without one, by its id. */
export const PartyName = ({ name, id }: { readonly name: string | undefined; readonly id: string }) =>
  name === undefined ? <Name id={id} link={false} /> : <NameOf name={name} id={id} />

interface WhoseConsentsProps {
  readonly member: string | undefined
  readonly client: string | undefined
  readonly show: (change: Readonly<Record<string, string>>) => void
}

/** Administrators choose a person or an agent of their organisation. */
function WhoseConsents({ member = '', client = '', show }: WhoseConsentsProps) {
  const { viewer } = useConsole()
  const people = useQuery('members.list', { orgId: viewer.orgId, limit: 100 }, { isLive: false }).data?.items ?? []
  const agents = useQuery('agents.list', { limit: 100 }, { isLive: false }).data?.items ?? []
  return (
    <div class="columns">
      <div>
        <Choice
          label="Person"
          name="member"
          value={member}
          options={withChosen(member, [['', 'You'], ...people.map(({ memberId, name }) => [memberId, quoted(name)] as const)])}
          onChange={(value) => show({ member: value, client: '' })}
        />
      </div>
      <div>
        <Choice
          label="Agent"
          name="client"
          value={client}
          options={withChosen(client, [['', 'Any agent'], ...agents.map(({ agentId, name }) => [agentId, quoted(name)] as const)])}
          onChange={(value) => show({ client: value, member: '' })}
        />
      </div>
    </div>
  )
}

/** A text of others where no mark is possible. */
const quoted = (name: string): string => `“${shortened(withoutUnprintable(name).trim(), MAX_OPTION_LENGTH)}”`
const MAX_OPTION_LENGTH = 60

/** The address may name one that is not among the first 100. */
const withChosen = (chosen: string, options: readonly (readonly [string, string])[]) =>
  options.some(([value]) => value === chosen) ? options : [...options, [chosen, chosen] as const]
