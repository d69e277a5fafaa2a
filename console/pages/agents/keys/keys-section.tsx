import { useState } from 'preact/hooks'
import type { Output } from '../../../api/procedures.js'
import { useQuery } from '../../../api/use-query.js'
import { useDone } from '../../../ui/done.js'
import { Empty, Result } from '../../../ui/notes.js'
import { Section } from '../../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../../ui/text.js'
import type { Abilities, AgentView } from '../abilities.js'
import { ConfirmCommand } from '../register-agent.js'
import { Compromise, Retire, RevokeKey } from './key-dialogs.js'
import { LostKey } from './lost-key.js'

export type KeyView = Output<'keys.list'>['items'][number]

type Verb = 'retire' | 'revoke' | 'compromise'
const LABELS: Readonly<Record<Verb, string>> = { retire: 'Retire', revoke: 'Revoke', compromise: 'It was stolen' }

/** The keys with which the agent authenticates, and what to do if one is lost or stolen. */
export function KeysSection({ agent, abilities }: { readonly agent: AgentView; readonly abilities: Abilities }) {
  const keys = useQuery('keys.list', { owner: agent.agentId })
  const [open, setOpen] = useState<{ readonly verb: Verb; readonly key: KeyView } | undefined>()
  const [done, say] = useDone()
  const close = () => setOpen(undefined)
  const dialog = open && { agent, of: open.key, onDone: say, onClose: close }
  return (
    <Section title="Keys">
      {agent.clientUri && (
        <p>
          The agent authenticates with the keys in its metadata at <Foreign text={agent.clientUri} />.
        </p>
      )}
      {done}
      <Result of={keys}>
        {({ items }) =>
          items.length === 0 ? (
            !agent.clientUri && (
              <Empty>
                <p>The agent has no key yet. Register its first key on its machine:</p>
                <ConfirmCommand agentId={agent.agentId} name={agent.name} />
              </Empty>
            )
          ) : (
            <ul class="items">
              {items.map((key) => (
                <li key={key.keyId}>
                  <KeyRow of={key} verbs={abilities.mayOversee ? verbsOf(agent, key) : []} onVerb={(verb) => setOpen({ verb, key })} />
                </li>
              ))}
            </ul>
          )
        }
      </Result>
      {agent.state === 'revoked' && <p>The agent is revoked, so none of its keys is accepted.</p>}
      {!abilities.mayOversee && <p class="hint">Only administrators of your organisation can retire and revoke keys.</p>}
      {dialog && open.verb === 'retire' && <Retire {...dialog} />}
      {dialog && open.verb === 'revoke' && <RevokeKey {...dialog} />}
      {dialog && open.verb === 'compromise' && <Compromise {...dialog} />}
      {abilities.mayAdminister && !agent.clientUri && agent.state === 'active' && <LostKey agent={agent} />}
    </Section>
  )
}

/** Also a key that has ended may have been stolen before. */
const verbsOf = (agent: AgentView, { state }: KeyView): readonly Verb[] => [
  ...(state === 'active' && agent.state !== 'revoked' ? (['retire'] as const) : []),
  ...(state !== 'revoked' && agent.state !== 'revoked' ? (['revoke'] as const) : []),
  'compromise',
]

function KeyRow({
  of: { keyId, state, alg, registeredAt, registeredBy, retiresAt, endedAt, reason, note },
  verbs,
  onVerb,
}: {
  readonly of: KeyView
  readonly verbs: readonly Verb[]
  readonly onVerb: (verb: Verb) => void
}) {
  return (
    <>
      <Code>{keyId}</Code> <State state={state} /> {alg}
      <p class="hint">
        registered <Time at={registeredAt} /> by <Name id={registeredBy} />
        {retiresAt !== undefined && (
          <>
            , accepted until <Time at={retiresAt} />
          </>
        )}
        {endedAt !== undefined && (
          <>
            , ended <Time at={endedAt} />
          </>
        )}
        {reason !== undefined && `, ${reason}`}
        {note !== undefined && (
          <>
            : <Foreign text={note} />
          </>
        )}
      </p>
      {verbs.map((verb) => (
        <button key={verb} type="button" class="quiet small" aria-label={`${LABELS[verb]} ${keyId}`} onClick={() => onVerb(verb)}>
          {LABELS[verb]}
        </button>
      ))}
    </>
  )
}
