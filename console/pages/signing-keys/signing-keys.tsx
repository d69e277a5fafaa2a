import { useConsole } from '../../api/console.js'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { NO_INPUT, useWholeList } from '../../api/use-whole-list.js'
import { RevokeButton } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Empty, ErrorNote, Loading } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Code, State, Time } from '../../ui/text.js'

type SigningKey = Item<'signingKeys.list'>
type Use = SigningKey['use']

interface UseWords {
  readonly title: string
  /** What a revocation of a key of this use ends. */
  readonly ends: string
}

const USES: Readonly<Record<Use, UseWords>> = {
  token: {
    title: 'Access tokens',
    ends: 'Every access token that the key signed is revoked, for all clients. Clients get new ones with their own keys and refresh tokens.',
  },
  card: {
    title: 'Card views',
    ends: 'Every view of a card that the key signed is invalid. Callers read the cards again and get the views with a new signature.',
  },
  log: {
    title: 'Checkpoints of the trust log',
    ends: 'Every checkpoint that the key signed is invalid. A verifier that started from one of them must start again with a checkpoint of the next key.',
  },
  'log-ed25519': {
    title: 'Checkpoints of the trust log (Ed25519, for witnesses)',
    ends: 'Every checkpoint signature that the key made is invalid. Witnesses need the next key in their configuration.',
  },
  witness: {
    title: 'Cosignatures of other logs',
    ends: 'Every cosignature of this registry for the logs of others is invalid. Those logs need the next key in their configuration.',
  },
  webhook: {
    title: 'Messages of webhooks',
    ends: 'Every message that the key signed is invalid. Receivers load the next key.',
  },
  client: {
    title: 'Client of sign-in providers',
    ends: 'OpenID Providers no longer accept the key of this registry. Sign-ins fail until they have loaded the next one.',
  },
}
const ORDER = Object.keys(USES) as Use[] // the keys of the record

/** The keys with which the registry signs. For operators. */
export function SigningKeys() {
  const { viewer } = useConsole()
  if (viewer.role !== 'operator')
    return (
      <Page title="Signing keys">
        <Empty>
          Only operators manage the signing keys. The public keys are at <Code>{`${viewer.issuer}/.well-known/jwks.json`}</Code>.
        </Empty>
      </Page>
    )
  return (
    <Page title="Signing keys">
      <Uses />
    </Page>
  )
}

function Uses() {
  const list = useWholeList('signingKeys.list', NO_INPUT)
  if (list.isLoading && list.items.length === 0) return <Loading />
  return (
    <>
      <ErrorNote error={list.error} />
      {ORDER.map((use) => (
        <Section key={use} title={USES[use].title}>
          <KeysOfUse use={use} keys={list.items.filter((key) => key.use === use)} />
        </Section>
      ))}
    </>
  )
}

function KeysOfUse({ use, keys }: { readonly use: Use; readonly keys: readonly SigningKey[] }) {
  const [done, say] = useDone()
  const rotate = useAction('signingKeys.rotate', ['signingKeys'])
  const pending = keys.some(({ state }) => state === 'pending')
  const run = async () => {
    const next = await rotate.run({ use })
    if (next)
      say(
        <>
          The key <Code>{next.kid.slice(0, 10)}…</Code> is published, and signs from <Time at={next.signsFrom} />. The current key is
          retired automatically, once nothing that it signed can still be valid.
        </>,
      )
  }
  return (
    <>
      {keys.length === 0 && <p>No key yet. The first use creates one.</p>}
      <ul class="items">
        {keys.map((key) => (
          <li key={key.kid}>
            <KeyItem of={key} say={say} />
          </li>
        ))}
      </ul>
      <ErrorNote error={rotate.error} />
      {done}
      <button type="button" aria-label={`Rotate: ${USES[use].title}`} disabled={rotate.isRunning || pending} onClick={run}>
        Rotate
      </button>
      {pending && <span class="hint">The next key is published already.</span>}
    </>
  )
}

function KeyItem({
  of: { kid, use, state, createdAt, signsFrom, retiresAt },
  say,
}: {
  readonly of: SigningKey
  readonly say: (text: string) => void
}) {
  const revoke = useAction('signingKeys.revoke', ['signingKeys'])
  return (
    <>
      <Code>{kid}</Code> <State state={state} />
      <p class="hint">
        created <Time at={createdAt} />, {state === 'pending' ? 'signs' : 'signed'} from <Time at={signsFrom} />
        {retiresAt !== undefined && (
          <>
            , ends <Time at={retiresAt} />
          </>
        )}
      </p>
      {state !== 'ended' && (
        <RevokeButton
          label={`Revoke the key ${kid}`}
          title="Revoke the signing key"
          name={kid.slice(0, 10)}
          id={kid}
          action={revoke}
          revoke={(because) => revoke.run({ kid, ...because })}
          onDone={() => say(`The key ${kid.slice(0, 10)}… is revoked, with everything that it signed. Another key signs.`)}
        >
          <p>
            <strong>{USES[use].ends}</strong>
          </p>
          <p>Another key signs at once. If the key was not stolen, rotate it instead: that revokes nothing.</p>
        </RevokeButton>
      )}
    </>
  )
}
