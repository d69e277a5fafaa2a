import { formWithAssertion, postForm } from '../../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'

export const uri = 'http://127.0.0.1:9/mcp'

/** The answer to a request for a bearer token, which needs no proof. */
export interface Answer {
  readonly status: number
  readonly error?: string
  readonly maxCalls?: number
  readonly tokenId: string
  readonly accessToken: string
  readonly available?: { readonly calls?: number; readonly units?: number }
}

export interface BudgetSite {
  readonly registry: Registry
  readonly acme: Actor
  /** The agent under which the resource settles. */
  readonly operator: AgentActor
  readonly client: AgentActor
  readonly resourceId: string
  aTask(budget?: object, parentTaskId?: string): Promise<string>
  budgetOf(taskId: string): Promise<Awaited<ReturnType<AgentActor['tasks']['get']>>['budget']>
  request(more: object, scope?: string): Promise<Answer>
  settle(tokenId: string, calls: number, more?: object, actor?: Actor): Promise<object>
}

/** A registry with a resource that counts calls, which cost units, and a client that may call it. */
export async function startSite(): Promise<BudgetSite> {
  const registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const operator = await registry.agent({ registeredBy: acme, name: 'operator' })
  const rights = ['ai:ask', 'ai:think', 'ai:list'].map((scope) => ({ audience: uri, scope }))
  const client = await registry.agent({ ceiling: { rights } })
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri,
    name: 'AI',
    scopes: [
      { scope: 'ai:ask', words: 'Ask', cost: 10 },
      { scope: 'ai:think', words: 'Think', cost: 40 },
      { scope: 'ai:list', words: 'List' },
    ],
    policy: { mode: 'open' },
    bearer: 'allowed',
    operatorAgentId: operator.agentId,
    understands: ['max_calls'],
  })
  return {
    registry,
    acme,
    operator,
    client,
    resourceId,
    aTask: async (budget, parentTaskId) =>
      (await client.tasks.create({ description: 'x', ...(budget && { budget }), ...(parentTaskId !== undefined && { parentTaskId }) }))
        .taskId,
    budgetOf: async (taskId) => (await client.tasks.get(taskId)).budget,
    request: async (more, scope = 'ai:list') => {
      const form = { grant_type: 'client_credentials', resource: uri, scope, ...more }
      const { status, body } = await postForm(registry, '/oauth/token', await formWithAssertion(registry, client, form))
      const { access_token: accessToken, error, max_calls: maxCalls, available } = body
      const tokenId = accessToken && JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString()).jti
      return { status, error, maxCalls, tokenId, accessToken, available }
    },
    settle: (tokenId, calls, more = {}, actor = operator) => actor.settleToken(tokenId, { calls, ...more }),
  }
}
