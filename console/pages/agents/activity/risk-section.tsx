import type { Output } from '../../../api/procedures.js'
import { useQuery } from '../../../api/use-query.js'
import { Result } from '../../../ui/notes.js'
import { Facts, Section } from '../../../ui/page.js'
import { Foreign, Name, Time } from '../../../ui/text.js'
import { RISKS } from '../../../ui/words.js'

type AgentRisk = Output<'tokens.risk'>

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
        <strong>Unknown.</strong> A score needs at least {profile.usesNeeded} uses within {profile.days} days. The agent has {profile.uses}.
      </p>
    )
  return (
    <>
      <p>
        <strong>{risk.level}</strong>, score {risk.score} of 100. This is the highest score among the {tokensCompared} newest tokens of the
        last 24 hours. The score is informational: it never revokes anything.
      </p>
      {risk.parts.length === 0 ? (
        <p>Nothing is unusual.</p>
      ) : (
        <ul>
          {risk.parts.map(({ code, weight }) => (
            <li key={code}>
              <code>{code}</code> +{weight}: {RISKS[code]}
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
    <summary>Activity of the last {days} days</summary>
    <Facts
      of={{ Tokens: uses, 'Refused requests': refusals, 'Longest actor chain': `${depth} further actors`, 'Keys used': keys.length }}
    />
    {audiences.length === 0 ? (
      <p>No uses counted yet. A use is counted within 90 seconds.</p>
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
