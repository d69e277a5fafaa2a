import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { countText } from '../../ui/dialogs/counted.js'
import { ErrorNote, Loading } from '../../ui/notes.js'
import type { Abilities, AgentView } from './abilities.js'

type Listed = Pick<Output<'tokens.list'>, 'items' | 'cursor'>

/** What stands under an agent. A text such as `100 or more` has its unit. */
interface Endings {
  readonly texts: readonly string[]
  readonly isLoading: boolean
  readonly error?: unknown
}

/** Counts what ends with the agent. Its keys stand through a suspension. */
export function useEndings({ agentId }: AgentView, { maySeeActivity }: Abilities, verb: 'suspend' | 'revoke'): Endings {
  const tokens = useQuery('tokens.list', maySeeActivity ? { client: agentId, alive: true, limit: 100 } : undefined)
  const keys = useQuery('keys.list', maySeeActivity ? { owner: agentId } : undefined)
  const children = useQuery('agents.list', { parent: agentId, limit: 100 })
  const standing = (items: readonly { readonly state: string }[] = []) => items.filter(({ state }) => state !== 'revoked')
  const pageOf = (list: Listed | undefined, noun: string) => countText(list?.items.length ?? 0, noun, list?.cursor !== undefined)
  return {
    texts: [
      maySeeActivity ? pageOf(tokens.data, 'live token') : 'all its tokens',
      ...(verb === 'suspend' ? [] : [maySeeActivity ? countText(standing(keys.data?.items).length, 'key') : 'all its keys']),
      `${countText(standing(children.data?.items).length, 'agent', children.data?.cursor !== undefined)} that it registered`,
      'all its introductions and tasks',
    ],
    isLoading: [tokens, keys, children].some(({ isLoading, data }) => isLoading && data === undefined),
    error: tokens.error ?? keys.error ?? children.error,
  }
}

export const WhatEnds = ({ of: { texts, isLoading, error } }: { readonly of: Endings }) => (
  <>
    <p>This also revokes, immediately:</p>
    <ErrorNote error={error} />
    {isLoading ? (
      <Loading />
    ) : (
      <ul>
        {texts.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    )}
  </>
)
