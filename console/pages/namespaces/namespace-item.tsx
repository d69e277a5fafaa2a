import { useConsole } from '../../api/console.js'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { isAdministrator } from '../../api/viewer.js'
import { RevokeButton } from '../../ui/dialogs/revoke-button.js'
import { ErrorNote } from '../../ui/notes.js'
import { Facts } from '../../ui/page.js'
import { Code, Command, Foreign, State, Time } from '../../ui/text.js'
import { Transfer } from './transfer.js'

export type Namespace = Item<'namespaces.list'>

interface NamespaceItemProps {
  readonly of: Namespace
  /** The organisation whose list this is. */
  readonly listed: string
  readonly say: (text: string) => void
}

/** A namespace: its state, what proves it, and what an administrator may do. */
export function NamespaceItem({ of: namespace, listed, say }: NamespaceItemProps) {
  const { viewer } = useConsole()
  const isAdmin = isAdministrator(viewer) && namespace.orgId === viewer.orgId
  const isOffer = namespace.orgId !== listed
  return (
    <>
      <strong>
        <Code>{namespace.name}</Code>
      </strong>{' '}
      <State state={namespace.state} />
      <NamespaceFacts of={namespace} />
      {isOffer && (
        <p>
          Another organisation offers this name to yours. Add the name below and prove it: the proof of the other organisation ends then.
        </p>
      )}
      {namespace.proof && <Proof of={namespace} proof={namespace.proof} />}
      {!isOffer && isAdmin && <Check of={namespace} say={say} />}
      {!isOffer && namespace.state !== 'pending' && (isAdmin || viewer.role === 'operator') && <Transfer of={namespace} say={say} />}
      {!isOffer && (isAdmin || viewer.role === 'operator') && <Remove of={namespace} say={say} />}
    </>
  )
}

function NamespaceFacts({ of: namespace }: { readonly of: Namespace }) {
  const {
    orgId,
    state,
    method,
    provedAt,
    provedBy,
    checkedAt,
    nextCheckAt,
    failures,
    lastFailure,
    expiresAt,
    endedAt,
    offeredTo,
    offeredUntil,
  } = namespace
  const time = (at: number | undefined) => (at === undefined ? undefined : <Time at={at} />)
  return (
    <Facts
      of={{
        Organisation: <Code>{orgId}</Code>,
        Covers: method && (method === 'txt' ? 'the name and its subdomains (TXT record)' : 'only this host (file)'),
        Proved: time(provedAt),
        'Proved by': provedBy && <Code>{provedBy}</Code>,
        Checked: time(checkedAt),
        'Next check': time(nextCheckAt),
        'Failed checks': failures ? `${failures} in a row; three end the proof` : undefined,
        'Last failure': lastFailure && <Foreign text={lastFailure} />,
        'Claim is dropped': time(expiresAt),
        Ended: state === 'lapsed' || state === 'removed' ? time(endedAt) : undefined,
        'Offered to': offeredTo && <Code>{offeredTo}</Code>,
        'Offered until': time(offeredUntil),
      }}
    />
  )
}

function Proof({ of: { name, state }, proof }: { readonly of: Namespace; readonly proof: NonNullable<Namespace['proof']> }) {
  return (
    <details open={state === 'pending' || state === 'failing'}>
      <summary>What proves {name}</summary>
      <p>Publish one of these for as long as you use the name. A TXT record, which also covers the subdomains:</p>
      <Command text={`${proof.txt.name}. IN TXT "${proof.txt.value}"`} />
      <p>
        Or a file at <Code>{proof.file.url}</Code>, which covers only this host:
      </p>
      <Command text={proof.file.content} />
    </details>
  )
}

function Check({ of: { name, state }, say }: { readonly of: Namespace; readonly say: (text: string) => void }) {
  const check = useAction('namespaces.check', ['namespaces'])
  const add = useAction('namespaces.add', ['namespaces'])
  const hasEnded = state === 'lapsed' || state === 'removed'
  const run = async () => {
    if (hasEnded) {
      if (await add.run({ name })) say(`${name} is claimed again. Publish the new proof, then check it.`)
      return
    }
    const checked = await check.run({ name })
    if (checked) say(`${name} was checked: ${checked.state}.`)
  }
  return (
    <>
      <ErrorNote error={check.error ?? add.error} />
      <button
        type="button"
        class="small"
        aria-label={`${hasEnded ? 'Add again' : 'Check'} ${name}`}
        disabled={check.isRunning || add.isRunning}
        onClick={run}
      >
        {hasEnded ? 'Add again' : 'Check'}
      </button>
    </>
  )
}

function Remove({ of: { name, state }, say }: { readonly of: Namespace; readonly say: (text: string) => void }) {
  const remove = useAction('namespaces.remove', ['namespaces'])
  if (state === 'lapsed' || state === 'removed') return null
  const isClaim = state === 'pending'
  return (
    <RevokeButton
      label={`Remove ${name}`}
      verb="Remove"
      title={isClaim ? 'Drop the claim' : 'End the proof'}
      name={name}
      action={remove}
      revoke={(because) => remove.run({ name, ...because })}
      onDone={() =>
        say(isClaim ? `The claim of ${name} is dropped.` : `The proof of ${name} has ended: its cards are no longer verified, only signed.`)
      }
    >
      {isClaim ? (
        <p>The claim ends, and its challenge becomes invalid. Nothing else depends on it.</p>
      ) : (
        <p>The verdict of every card that the name verified drops from verified to signed. A further proof needs a new record or file.</p>
      )}
    </RevokeButton>
  )
}
