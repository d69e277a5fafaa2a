import { REVOCATION_INPUT, type RevocationReason } from '../protocol/end-reason.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import type { Calls } from './call.js'
import { type LineageNode, PAGE_OPTIONS, type PageOptions } from './tasks.js'

/** The call that a token is checked for. What is absent is not checked. */
export interface VerifyOptions {
  /** Space-separated. */
  readonly scope?: string
  readonly tool?: string
  readonly resource?: string
  readonly requiredTools?: readonly string[]
  readonly taskId?: string
  readonly parentTaskId?: string
  readonly description?: string
}

const VERIFY_OPTIONS: OptionNames<VerifyOptions> = {
  scope: true,
  tool: true,
  resource: true,
  requiredTools: true,
  taskId: true,
  parentTaskId: true,
  description: true,
}

/** The result of `verifyToken`: does the token fit the call, and how usual is it for its client. The score only informs: nothing is revoked by it. */
export interface Verification {
  readonly isValid: boolean
  /** The scope of the token; null for a token that is unknown, has expired, or may not be seen by this agent. */
  readonly scope: string | null
  /** The given task is the token's task, the given parent task is one of its parents, and none of them has ended. */
  readonly taskContextValid: boolean
  /** Null if the token's client has too little history. */
  readonly historicalPatternMatch: boolean | null
  /** Codes, as docs/CONCEPTS.md lists them. */
  readonly reasons: readonly string[]
  readonly task: {
    readonly id: string
    readonly description?: string
    readonly state: 'active' | 'paused' | 'ended' | 'expired'
    readonly parents: readonly string[]
  } | null
  /** Uses of the token's client at this audience, and its earlier tasks there. */
  readonly history: { readonly uses: number; readonly lastUsedAt?: number; readonly previousTasks: readonly string[] } | null
  readonly risk: {
    readonly level: 'low' | 'medium' | 'high' | 'unknown'
    /** 0 to 100. */
    readonly score: number | null
    readonly parts: readonly { readonly code: string; readonly weight: number }[]
  }
}

export async function verifyToken({ mutate }: Calls, token: string, options: VerifyOptions): Promise<Verification> {
  requireOptions('verifyToken', options, VERIFY_OPTIONS)
  return mutate('tokens.verify', { ...options, token })
}

/** Exactly one of the first five. */
export interface TokenListOptions extends PageOptions {
  /** Agent id or member id. */
  readonly client?: string
  readonly task?: string
  readonly introduction?: string
  readonly consent?: string
  readonly audience?: string
  /** Only tokens that have not expired and stand. */
  readonly alive?: boolean
}

const LIST_OPTIONS: OptionNames<TokenListOptions> = {
  ...PAGE_OPTIONS,
  client: true,
  task: true,
  introduction: true,
  consent: true,
  audience: true,
  alive: true,
}

export async function listTokens(
  { query }: Calls,
  options: TokenListOptions,
): Promise<{ readonly items: readonly LineageNode[]; readonly cursor?: string }> {
  requireOptions('listTokens', options, LIST_OPTIONS)
  return query('tokens.list', options)
}

export interface IntrospectOptions {
  /** Adds `task_history`: the tasks of the token, what happened under them, and how usual the token is for its client. */
  readonly taskHistory?: boolean
}

export function introspectionOf(token: string, options: IntrospectOptions): Readonly<Record<string, string>> {
  requireOptions('introspect', options, { taskHistory: true })
  return { token, ...(options.taskHistory && { include_task_history: 'true' }) }
}

export interface RevokeOptions extends Partial<RevocationReason> {
  /** Ids of tasks that end with the token. If this agent may not end one of them, nothing is revoked. */
  readonly affectedTaskChain?: readonly string[]
}

export function revocationOf(token: string, options: RevokeOptions): Readonly<Record<string, string>> {
  requireOptions('revoke', options, { ...REVOCATION_INPUT, affectedTaskChain: true })
  const { reason, note, affectedTaskChain } = options
  return {
    token,
    ...(reason && { reason }),
    ...(note && { note }),
    ...(affectedTaskChain && { affected_task_chain: JSON.stringify(affectedTaskChain) }),
  }
}

export interface SettleOptions {
  /** The number of calls that this audience has accepted with the token. */
  readonly calls: number
  /** Cost of the calls. Default: `calls` times the cost of the scope. */
  readonly units?: number
}

export interface Settled {
  readonly tokenId: string
  readonly calls: number
  readonly units: number
}

export async function settleToken({ mutate }: Calls, tokenId: string, settlement: SettleOptions): Promise<Settled> {
  requireOptions<SettleOptions>('settleToken', settlement, { calls: true, units: true })
  return mutate('tokens.settle', { tokenId, ...settlement })
}
