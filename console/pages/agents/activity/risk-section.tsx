import type { Output } from '../../../api/procedures.js'
import { useQuery } from '../../../api/use-query.js'
import { Result } from '../../../ui/notes.js'
import { Facts, Section } from '../../../ui/page.js'
import { Foreign, Name, Time } from '../../../ui/text.js'

type AgentRisk = Output<'tokens.risk'>
type Code = AgentRisk['risk']['parts'][number]['code']

const PARTS: Readonly<Record<Code, string>> = {
  new_audience: 'the agent had no token for this audience before',
  new_scope: 'the agent had no token with this scope for this audience before',
  rate: 'the agent got many more tokens within an hour than it usually does',
  deeper: 'the chain of actors is longer than in any earlier token',
  new_key: 'the key of the token was first used less than 24 hours before',
}

/** How unusual the recent tokens of the agent are, and why. */
export function RiskSection({ agentId }: { readonly agentId: string }) {
  // It follows the tokens, which are not in the log
  const risk = useQuery('tokens.risk', { client: agentId }, { isLive: false })
  return (
    <Section title="Risk">
      <Result of={risk}>
        {(found) => (
          <>
            <RiskOf found={found} />
            <ProfileOf profile={found.profile} />
          </>
        )}
      </Result>
    </Section>
  )
}

function RiskOf({ found: { risk, token, tokensCompared, profile } }: { readonly found: AgentRisk }) {
  if (risk.score === null)
    return (
      <p>
        <strong>Unknown.</strong> A comparison needs {profile.usesNeeded} uses in {profile.days} days. The agent has {profile.uses}.
      </p>
    )
  return (
    <>
      <p>
        <strong>{risk.level}</strong>, score {risk.score} of 100: that of the most unusual of the {tokensCompared} newest tokens of the last
        24 hours. A score informs. It never revokes anything.
      </p>
      {risk.parts.length === 0 ? (
        <p>Nothing is unusual.</p>
      ) : (
        <ul>
          {risk.parts.map(({ code, weight }) => (
            <li key={code}>
              <code>{code}</code> +{weight}: {PARTS[code]}
            </li>
          ))}
        </ul>
      )}
      {token && risk.parts.length > 0 && (
        <Facts
          of={{
            Token: <code>{token.tokenId}</code>,
            For: <Name id={token.audience} />,
            Scope: <Foreign text={token.scope} />,
            Task: token.taskId && (
              <a href={`/console/tasks/${token.taskId}`}>
                <code>{token.taskId}</code>
              </a>
            ),
            Issued: <Time at={token.issuedAt} />,
          }}
        />
      )}
    </>
  )
}

const ProfileOf = ({ profile: { days, uses, refusals, depth, audiences, keys } }: { readonly profile: AgentRisk['profile'] }) => (
  <details>
    <summary>What the agent did in {days} days</summary>
    <Facts of={{ Tokens: uses, 'Refused requests': refusals, 'Longest chain': `${depth} further actors`, 'Keys used': keys.length }} />
    {audiences.length === 0 ? (
      <p>No use was counted yet. A use is counted within a minute and a half.</p>
    ) : (
      <ul>
        {audiences.map(({ audience, scopes, lastUsedAt }) => (
          <li key={audience}>
            <Name id={audience} />: <Foreign text={scopes.join(' ')} />, last <Time at={lastUsedAt} />
          </li>
        ))}
      </ul>
    )}
  </details>
)
