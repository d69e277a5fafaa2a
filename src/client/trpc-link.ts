import { CredenceError, REFUSALS } from '../errors.js'
import { isJsonObject } from '../lib/json.js'
import type { Calls } from './call.js'

// The types of a link of @trpc/client, as far as this file uses them. The package needs neither @trpc/client nor its types.
interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  readonly path: string
  readonly input: unknown
  readonly signal?: AbortSignal | null | undefined
}
interface Observer {
  next?(envelope: { readonly result: { readonly type: 'data'; readonly data: unknown } }): void
  error?(error: unknown): void
  complete?(): void
}
interface Results {
  subscribe(observer: Observer): { unsubscribe(): void }
  pipe(...operators: ((results: Results) => Results)[]): Results
}

/**
 * The last link of a client of @trpc/client: it sends each call as `agent.query` and `agent.mutate` do, with a root token and a new proof.
 * An error has the reason in `data.reason`, as with the other links. Subscriptions are refused.
 *
 * @example
 * const registry = createTRPCClient<CredenceRouter>({ links: [credenceLink(agent)] })
 */
export const credenceLink =
  (agent: Calls) =>
  () =>
  ({ op }: { readonly op: Operation }): Results => {
    const results: Results = {
      subscribe: (observer) => {
        const ended = new AbortController()
        op.signal?.addEventListener('abort', () => observer.error?.(op.signal?.reason), { signal: ended.signal })
        const call = async () => {
          try {
            observer.next?.({ result: { type: 'data', data: await send(agent, op) } })
            observer.complete?.()
          } catch (error) {
            observer.error?.(errorOf(error, op))
          }
        }
        void call()
        return { unsubscribe: () => ended.abort() }
      },
      pipe: (...operators) => operators.reduce((source, operator) => operator(source), results),
    }
    return results
  }

async function send(agent: Calls, { type, path, input, signal }: Operation): Promise<unknown> {
  signal?.throwIfAborted()
  const sent = isJsonObject(input) ? input : {}
  if (type === 'query') return agent.query(path, sent)
  if (type === 'mutation') return agent.mutate(path, sent)
  throw new CredenceError({
    reason: 'method_not_allowed',
    text: 'credenceLink sends no subscriptions: use agent.subscribe or agent.introductions.watch, or wsLink of @trpc/client',
    status: 0,
  })
}

/** The client of @trpc/client makes its own error of the member `error`. A link in between, such as `retryLink`, reads `data`. */
function errorOf(error: unknown, { path }: Operation): unknown {
  if (!(error instanceof CredenceError)) return error
  const { message, reason, status: httpStatus, faults, requestId, retryAfterSeconds } = error
  const code = Object.entries(REFUSALS).find(([name]) => name === reason)?.[1].trpc ?? 'INTERNAL_SERVER_ERROR'
  const shape = { code: SERVER_ERROR, message, data: { code, httpStatus, path, reason, faults, requestId, retryAfterSeconds } }
  return { error: shape, shape, message, data: shape.data }
}

/** JSON-RPC 2.0 §5.1. */
const SERVER_ERROR = -32000
