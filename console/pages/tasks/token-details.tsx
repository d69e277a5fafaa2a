import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useAction } from '../../api/use-action.js'
import { countText } from '../../ui/dialogs/counted.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { Facts, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { activeOf, stateOfToken, type TokenNode, withDescendants } from './lineage.js'

interface TokenDetailsProps {
  readonly node: TokenNode
  readonly nodes: readonly TokenNode[]
  readonly isComplete: boolean
  readonly now: number
  /** True if the viewer may revoke the token. */
  readonly mayRevoke: boolean
}

/** A token of the task, what came from it, and its revocation. */
export function TokenDetails({ node, nodes, isComplete, now, mayRevoke }: TokenDetailsProps) {
  const [isAsking, setAsking] = useState(false)
  const [revoked, setRevoked] = useState<readonly string[]>([])
  const revocation = useAction('tokens.revoke', ['tokens', 'tasks'])
  const family = withDescendants(nodes, node.tokenId)
  const active = activeOf(family, now)
  const state = stateOfToken(node, now)
  const ended = family.filter((one) => one.revoked && revoked.includes(one.tokenId)).length
  return (
    <Section title="The selected token">
      <TokenFacts node={node} nodes={nodes} state={state} />
      <p>
        {family.length === 1 ? 'No other token came from it' : `${countText(family.length - 1, 'token')} came from it`}
        {!isComplete && ', as far as the tree shows'}.
      </p>
      {revoked.length > 0 && (
        <output class="note">
          Revoked. {ended} of {countText(revoked.length, 'active token')} ended: this one
          {revoked.length > 1 && ' and those that came from it'}.
        </output>
      )}
      {mayRevoke && state === 'active' && (
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          Revoke the token
        </button>
      )}
      {isAsking && (
        <RevokeDialog
          title="Revoke the token"
          verb="Revoke"
          name={node.tokenId}
          {...revocation}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            const result = await revocation.run({ tokenId: node.tokenId, reason: 'user_request' })
            if (result) setRevoked(active.map(({ tokenId }) => tokenId))
            return result
          }}
        >
          <p>
            {countText(active.length, 'active token')} will end{!isComplete && ', and those that the tree does not show'}: this one
            {active.length > 1 && ' and those that came from it'}. The task goes on, and its clients can get new tokens. To stop them, end
            or pause the task.
          </p>
          <TokenNames nodes={active} />
        </RevokeDialog>
      )}
    </Section>
  )
}

function TokenFacts({ node, nodes, state }: { readonly node: TokenNode; readonly nodes: readonly TokenNode[]; readonly state: string }) {
  const { tools, resources, delegation, maxCalls, usedCalls, usedUnits } = node
  const { path } = useLocation()
  const parent = (id: string) =>
    nodes.some(({ tokenId }) => tokenId === id) ? <a href={`${path}?token=${id}`}>{id}</a> : <Code>{id}</Code>
  return (
    <Facts
      of={{
        Id: <Code>{node.tokenId}</Code>,
        State: <State state={state} />,
        'Acts for': <Name id={node.sub} />,
        'Who acts': node.act.length > 0 && (
          <ol>
            {node.act.map((actor, i) => (
              <li key={i}>
                <Name id={actor} />
              </li>
            ))}
          </ol>
        ),
        Client: <Name id={node.clientId} />,
        Audience: (
          <>
            <Name id={node.audience} /> <Code>{node.audience}</Code>
          </>
        ),
        Scope: <Foreign text={node.scope} />,
        'Only with tools': tools && <Names of={tools} />,
        'Only on resources': resources && <Names of={resources} />,
        'May delegate': delegation && (
          <>
            {countText(delegation.depth, 'level')}: <Names of={delegation.rights.map(({ audience, scope }) => `${scope} at ${audience}`)} />
          </>
        ),
        Calls: maxCalls !== undefined && `${usedCalls ?? 0} settled of ${maxCalls}${usedUnits === undefined ? '' : `, ${usedUnits} units`}`,
        Task: node.taskId && (
          <a href={`/console/tasks/${node.taskId}`}>
            <Code>{node.taskId}</Code>
          </a>
        ),
        Introduction: node.introductionId && (
          <a href={`/console/introductions/${node.introductionId}`}>
            <Code>{node.introductionId}</Code>
          </a>
        ),
        'Came from': node.parents.length > 0 && node.parents.map((id) => <div key={id}>{parent(id)}</div>),
        Issued: <Time at={node.issuedAt} />,
        Expires: <Time at={node.expiresAt} />,
        Ended: node.endedAt !== undefined && (
          <>
            <Time at={node.endedAt} />
            {node.endedBy && (
              <>
                {' '}
                by <Name id={node.endedBy} />
              </>
            )}
            {node.reason && `, ${node.reason.replaceAll('_', ' ')}`} {node.note && <Foreign text={node.note} />}
          </>
        ),
      }}
    />
  )
}

const Names = ({ of: names }: { readonly of: readonly string[] }) =>
  names.length === 0 ? (
    <>none</>
  ) : (
    <>
      {names.map((name) => (
        <span key={name}>
          <Foreign text={name} />{' '}
        </span>
      ))}
    </>
  )

const MAX_NAMED = 10

/** The first of the tokens, by client and audience. */
export const TokenNames = ({ nodes }: { readonly nodes: readonly TokenNode[] }) => (
  <ul>
    {nodes.slice(0, MAX_NAMED).map((node) => (
      <li key={node.tokenId}>
        <Name id={node.clientId} link={false} /> at <Name id={node.audience} link={false} />, <Foreign text={node.scope} />
      </li>
    ))}
    {nodes.length > MAX_NAMED && <li>and {nodes.length - MAX_NAMED} more</li>}
  </ul>
)
