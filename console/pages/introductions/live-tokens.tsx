import type { ComponentChildren } from 'preact'
import type { QueryState } from '../../api/cache.js'
import type { Item, Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Exact } from '../../ui/exact.js'
import { Result } from '../../ui/notes.js'
import { Code, Name, Time } from '../../ui/text.js'

type Token = Item<'tokens.list'>

/** Tokens that can be used now. At most the newest 100. */
const LIVE = { alive: true, limit: 100 } as const

export const useTokensOfIntroduction = (introduction: string | undefined): QueryState<Output<'tokens.list'>> =>
  useQuery('tokens.list', introduction === undefined ? undefined : { introduction, ...LIVE })

export const useTokensOfConsent = (consent: string): QueryState<Output<'tokens.list'>> => useQuery('tokens.list', { consent, ...LIVE })

/** False while the tokens are being read: nobody revokes before it was said what ends. */
export const isKnown = ({ data, error }: QueryState<unknown>): boolean => data !== undefined || error !== undefined

/** What ends with an introduction or a consent: its live tokens, with their tasks. */
export const LiveTokens = ({ of }: { readonly of: QueryState<Output<'tokens.list'>> }) =>
  of.data === undefined && of.error !== undefined ? (
    <p>The tokens that end with it cannot be shown to you now. They end all the same.</p>
  ) : (
    <Result of={of}>{({ items, cursor }) => <TokenList tokens={items} hasMore={cursor !== undefined} />}</Result>
  )

/** What an action has done, with the tokens that it ended: those that its dialogue has listed. */
export const Outcome = ({ of, children }: { readonly of: QueryState<Output<'tokens.list'>>; readonly children: ComponentChildren }) => (
  <>
    {children}
    {of.data !== undefined && of.data.items.length > 0 && (
      <>
        <p>Ended with it:</p>
        <TokenList tokens={of.data.items} hasMore={of.data.cursor !== undefined} />
      </>
    )}
  </>
)

function TokenList({ tokens, hasMore = false }: { readonly tokens: readonly Token[]; readonly hasMore?: boolean }) {
  if (tokens.length === 0) return <p>No live token.</p>
  const tasks = [...new Set(tokens.flatMap(({ taskId }) => taskId ?? []))]
  return (
    <>
      <p>
        {tokens.length}
        {hasMore && ' or more'} live {tokens.length === 1 ? 'token' : 'tokens'}, for {tasks.length === 0 && 'no task'}
        {tasks.map((task, i) => [
          i > 0 && ', ',
          <a key={task} href={`/console/tasks/${task}`}>
            {task}
          </a>,
        ])}
        :
      </p>
      <ul class="tokens">
        {tokens.map(({ tokenId, clientId, audience, scope, expiresAt }) => (
          <li key={tokenId}>
            <Name id={clientId} link={false} /> at <Name id={audience} link={false} />: <Exact text={scope} /> until <Time at={expiresAt} />{' '}
            <Code>{tokenId}</Code>
          </li>
        ))}
      </ul>
    </>
  )
}
