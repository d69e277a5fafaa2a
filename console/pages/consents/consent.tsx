import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useQuery } from '../../api/use-query.js'
import { useDone } from '../../ui/done.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { PartyName } from './consents.js'
import { Families } from './families.js'
import { NarrowForm } from './narrow-form.js'
import { RevokeConsent } from './revoke-consent.js'
import { type Consent, Rights } from './rights.js'

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
  const [done, say] = useDone()
  const [isRevoking, setRevoking] = useState(false)
  const isValid = consent.state === 'valid'
  return (
    <>
      <ConsentFacts consent={consent} />
      {done}
      {isValid && (
        <p>
          <button type="button" class="danger" onClick={() => setRevoking(true)}>
            Revoke the consent
          </button>
        </p>
      )}
      {isRevoking && <RevokeConsent consent={consent} onRevoked={say} onClose={() => setRevoking(false)} />}
      <Section title="What it allows">
        <Rights consent={consent} />
      </Section>
      {isValid && consent.memberId === viewer.id && <NarrowForm key={consent.handles.join()} consent={consent} onNarrowed={say} />}
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
