import type { FoundWord, Hit } from '../../../src/protocol/search.js'
import { Foreign, Name, State, Time } from '../../ui/text.js'

export const cardAddress = ({ agentId }: Pick<Hit, 'agentId'>): string => `/console/cards/${agentId}`

/** A card that matches, with its score and the words for which it was found. */
export function HitRow({ hit, mayRequest }: { readonly hit: Hit; readonly mayRequest: boolean }) {
  const { agentId, text, verdict, score, why, scopes, endpoint, deprecated, tier } = hit
  return (
    <div class="hit">
      <a href={cardAddress(hit)}>
        <Foreign text={text.name === '' ? agentId : text.name} />
      </a>{' '}
      <State state={verdict.state} /> {tier === 'introduced' && <State state="introduced" />}
      <p>
        <Foreign text={text.description} />
      </p>
      {(score > 0 || why.missing.length > 0) && (
        <p class="hint">
          Score {score} of 100. {why.found.map(foundText).join('; ')}
          {why.missing.length > 0 && `${why.found.length > 0 ? '. ' : ''}Missing: ${why.missing.join(', ')}`}
        </p>
      )}
      {deprecated && (
        <p class="hint">
          Deprecated <Time at={deprecated.at} />
          {deprecated.successor && (
            <>
              : call <Name id={deprecated.successor} link={false} /> instead
            </>
          )}
        </p>
      )}
      <p class="hint">
        {endpoint !== undefined && <Foreign text={endpoint} />} Scopes:{' '}
        {scopes.length === 0 ? 'none' : scopes.slice(0, 8).map((scope) => [<Foreign key={scope} text={scope} />, ' '])}
        {scopes.length > 8 && `and ${scopes.length - 8} more`}
      </p>
      {mayRequest && (
        <a href={`${cardAddress(hit)}/request`} aria-label={`Request an introduction to ${text.name}`}>
          Request an introduction
        </a>
      )}
    </div>
  )
}

const BY: Readonly<Record<NonNullable<FoundWord['by']>, string>> = {
  synonym: ' (a synonym)',
  prefix: ' (a longer word)',
  spelling: ' (a similar spelling)',
}
const foundText = ({ word, fields, by }: FoundWord): string => `“${word}” in ${fields.join(', ')}${by === undefined ? '' : BY[by]}`
