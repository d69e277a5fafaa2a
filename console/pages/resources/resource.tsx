import { printable } from '../../../src/lib/io/printable.js'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList, useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { AuditLinks } from '../../ui/audit-links.js'
import { useDone } from '../../ui/done.js'
import { Empty, ErrorNote, Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Code, Command, Foreign, Name, State, Time } from '../../ui/text.js'
import { ChangeResource } from './change-resource.js'
import { ResourceScopes } from './resource-scopes.js'
import { RevokeResource } from './revoke-resource.js'

export type Resource = Output<'resources.get'>

/** A protected resource: for the members of its organisation and for operators. */
export function ResourcePage({ resourceId }: { readonly resourceId: string }) {
  const resource = useQuery('resources.get', { resourceId })
  return (
    <Page title="Resource">
      <Result of={resource}>{(data) => <Parts resource={data} />}</Result>
    </Page>
  )
}

function Parts({ resource }: { readonly resource: Resource }) {
  const { viewer } = useConsole()
  const { orgId, state, createdBy } = resource
  const isOwn = orgId === viewer.orgId
  const [done, say] = useDone()
  const mayRevoke = viewer.role === 'operator' || (isOwn && (viewer.role === 'administrator' || createdBy === viewer.id))
  return (
    <>
      {done}
      <ResourceFacts resource={resource} />
      {state === 'frozen' && (
        <p class="error">
          A compromised key changed this resource, so no tokens are issued for it. Review its settings below and save them to reactivate it.
        </p>
      )}
      <Section title="Scopes">
        <ResourceScopes resource={resource} />
      </Section>
      {state !== 'revoked' && (
        <>
          <Section title="Proof of its server">
            <Proof resource={resource} isOwn={isOwn} />
          </Section>
          <Section title="Active tokens">
            <Tokens resource={resource} />
          </Section>
          {isOwn && (
            <Section title="Change the resource">
              {/* Another version has other settings: a form of before would take them back */}
              <ChangeResource key={resource.handles.join(' ')} resource={resource} say={say} />
            </Section>
          )}
          {mayRevoke && (
            <Section title="Revoke the resource">
              <RevokeResource resource={resource} say={say} />
            </Section>
          )}
        </>
      )}
    </>
  )
}

function ResourceFacts({ resource }: { readonly resource: Resource }) {
  const { resourceId, uri, name, description, documentation, state, policy, bearer, operatorAgentId, understands, orgId } = resource
  const { createdAt, createdBy, provedAt, changedAt, revokedAt } = resource
  const { viewer } = useConsole()
  const time = (at: number | undefined) => (at === undefined ? undefined : <Time at={at} />)
  return (
    <Facts
      of={{
        Name: <Foreign text={name} />,
        URI: <Code>{uri}</Code>,
        Id: <Code>{resourceId}</Code>,
        State: <State state={state} />,
        Description: description && <Foreign text={description} />,
        Documentation: documentation && <Foreign text={documentation} />,
        Organisation: <Code>{orgId}</Code>,
        Introductions: policy.mode,
        'Only organisations': policy.organisations?.join(' '),
        'An open policy grants': policy.scopes?.join(' '),
        'Introductions last at most': `${Math.round(policy.maxSeconds / 86_400)} days`,
        'External clients': policy.externalClients ?? 'none',
        'People who may consent': policy.people === 'any' ? 'every person' : 'people of this organisation and of the listed ones',
        'Bearer tokens': bearer,
        'Agent of its server': operatorAgentId && <Name id={operatorAgentId} />,
        'Its server enforces': understands?.join(' '),
        Registered: (
          <>
            <Time at={createdAt} /> by <Name id={createdBy} />
          </>
        ),
        Proved: time(provedAt),
        Changed: time(changedAt),
        Revoked: time(revokedAt),
        Audit: isAdministrator(viewer) ? <AuditLinks id={resourceId} acts={false} /> : undefined,
      }}
    />
  )
}

/** What its server must serve, and the two ways to accept it. */
function Proof({ resource, isOwn }: { readonly resource: Resource; readonly isOwn: boolean }) {
  const { resourceId, wellKnownUrl, document, provedAt } = resource
  const { viewer } = useConsole()
  const [done, say] = useDone()
  const prove = useAction('resources.prove', ['resources'])
  const confirm = useAction('resources.confirm', ['resources'])
  return (
    <>
      {provedAt === undefined && <p>No token is issued until its server has proved that it is this resource.</p>}
      <p>
        The server serves this document at <Code>{wellKnownUrl}</Code>:
      </p>
      <Command text={JSON.stringify(document, null, 2).split('\n').map(printable).join('\n')} />
      <ErrorNote error={prove.error ?? confirm.error} />
      {done}
      {provedAt === undefined && isOwn && viewer.role !== 'person' && (
        <button
          type="button"
          disabled={prove.isRunning}
          onClick={async () => {
            if (await prove.run({ resourceId })) say('Proved: tokens can now be issued for the resource.')
          }}
        >
          Prove
        </button>
      )}
      {provedAt === undefined && viewer.role === 'operator' && (
        <>
          <p class="hint">If the registry cannot reach the server, an operator who knows it may confirm it.</p>
          <button
            type="button"
            class="quiet"
            disabled={confirm.isRunning}
            onClick={async () => {
              if (await confirm.run({ resourceId })) say('Confirmed: tokens can now be issued for the resource.')
            }}
          >
            Confirm without a proof
          </button>
        </>
      )}
    </>
  )
}

function Tokens({ resource: { uri, provedAt } }: { readonly resource: Resource }) {
  const input = { audience: uri, alive: true }
  const list = useList('tokens.list', provedAt === undefined ? undefined : input, ({ tokenId }) => tokenId)
  return (
    <Rows
      label="Tokens for the resource"
      list={list}
      idOf={({ tokenId }) => tokenId}
      row={({ sub, act: [presenter], scope, taskId, expiresAt }) => (
        <>
          <Name id={presenter ?? sub} />
          {presenter !== undefined && (
            <span>
              for <Name id={sub} />
            </span>
          )}
          <Code>{scope}</Code>
          {taskId !== undefined && <a href={`/console/tasks/${taskId}`}>task</a>}
          <span class="hint">
            expires <Time at={expiresAt} />
          </span>
        </>
      )}
      empty={
        <Empty>
          There is no active token for this resource. An agent can request one once it is introduced:{' '}
          <Code>credence introduction request</Code>
        </Empty>
      }
    />
  )
}
