import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { PartyName } from './consents.js'
import { Families } from './families.js'
import { NarrowForm } from './narrow-form.js'
import { RevokeConsent } from './revoke-consent.js'

export type Consent = Output<'consents.get'>

/** What a client may do for a person at one audience. */
export function ConsentPage({ consentId }: { readonly consentId: string }) {
  const consent = useQuery('consents.get', { consentId })
  return (
    <Page title="Consent">
      <Result of={consent}>{(data) => <ConsentView consent={data} />}</Result>
    </Page>
  )
}

function ConsentView({ consent }: { readonly consent: Consent }) {
  const { viewer } = useConsole()
  const [done, setDone] = useState<string | undefined>()
  const isValid = consent.state === 'valid'
  return (
    <>
      <ConsentFacts consent={consent} />
      {done !== undefined && <output class="note">{done}</output>}
      {isValid && <RevokeConsent consent={consent} onRevoked={setDone} />}
      <Section title="What it allows">
        <Rights consent={consent} />
      </Section>
      {isValid && consent.memberId === viewer.id && <NarrowForm key={consent.handles.join()} consent={consent} onNarrowed={setDone} />}
      <Families consentId={consent.consentId} />
    </>
  )
}

function ConsentFacts({ consent }: { readonly consent: Consent }) {
  return (
    <Facts
      of={{
        Client: (
          <>
            <PartyName name={consent.clientName} id={consent.client} /> <Code>{consent.client}</Code>
          </>
        ),
        'May act for': <Name id={consent.memberId ?? consent.personId} />,
        At: (
          <>
            <PartyName name={consent.audienceName} id={consent.audience} /> <Code>{consent.audience}</Code>
          </>
        ),
        'Only for task': consent.taskId && (
          <a href={`/console/tasks/${consent.taskId}`}>
            <Code>{consent.taskId}</Code>
          </a>
        ),
        State: <State state={consent.state} />,
        Given: <Time at={consent.grantedAt} />,
        Until: <Time at={consent.until} />,
        Uses: `${consent.uses} (a use is a token that was issued)`,
        'Last used': consent.lastUsedAt === undefined ? 'not yet' : <Time at={consent.lastUsedAt} />,
        Revoked: consent.endedAt !== undefined && (
          <>
            <Time at={consent.endedAt} />
            {consent.endedBy && (
              <>
                {' '}
                by <Name id={consent.endedBy} />
              </>
            )}
            {consent.reason && `, ${consent.reason.replaceAll('_', ' ')}`} {consent.note && <Foreign text={consent.note} />}
          </>
        ),
      }}
    />
  )
}

/** The rights in the words of the audience, where it has any. */
export function Rights({ consent: { rights, words = {}, tools, resources, delegation } }: { readonly consent: Consent }) {
  return (
    <ul>
      {rights.map(({ scope }) => (
        <li key={scope}>
          <Foreign text={scope} /> <Words text={words[scope]} />
        </li>
      ))}
      {tools && <NamesItem text="Only with these tools:" names={tools} />}
      {resources && <NamesItem text="Only on these resources:" names={resources} />}
      {delegation ? (
        <NamesItem
          text={`May delegate, up to ${delegation.depth} ${delegation.depth === 1 ? 'level' : 'levels'}:`}
          names={delegation.rights.map(nameOfRight)}
        />
      ) : (
        <li>May not delegate to other agents</li>
      )}
    </ul>
  )
}

export const Words = ({ text }: { readonly text: string | undefined }) => (text === undefined ? null : <Foreign text={text} />)

export const nameOfRight = ({ audience, scope }: { readonly audience: string; readonly scope: string }): string => `${scope} at ${audience}`

const NamesItem = ({ text, names }: { readonly text: string; readonly names: readonly string[] }) => (
  <li>
    {text}{' '}
    {names.length === 0
      ? 'none'
      : names.map((name) => (
          <span key={name}>
            <Foreign text={name} />{' '}
          </span>
        ))}
  </li>
)
