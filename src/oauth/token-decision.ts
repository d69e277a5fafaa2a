import type { TakenApproval } from '../delegation/approvals/require.js'
import type { Client, ExternalClient } from '../identity/clients/client.js'
import type { Act } from '../protocol/claims.js'
import type { ActorId, Audience, IntroductionId, Jkt, OrgId, SessionId, SubjectId, TaskId, TokenId } from '../protocol/ids.js'
import type { Delegation, Right, Scope } from '../protocol/rights.js'
import type { Dependencies } from '../protocol/standing.js'
import type { Operation } from '../storage/storage.js'
import type { AuthenticatedClient } from './client-auth/client-auth.js'
import type { TaskCreation } from './grants/task.js'
import type { TokenPerson } from './store.js'

/** The client that a token is issued to, as an agent, a member or an external client. */
interface TokenClient extends Pick<Client, 'dependencies' | 'clientUri' | 'agentType'> {
  readonly kind: (Client | ExternalClient)['kind']
  readonly id: ActorId
  readonly orgId?: OrgId | undefined
  /** An external client has none: the policy of the resource bounds it. */
  readonly ceiling?: Pick<Client['ceiling'], 'tokenSeconds'>
}

/** A limit on the number of calls with a token. */
export interface CallLimit {
  readonly maxCalls: number
  /** Units that a call costs. */
  readonly cost: number
  /** Takes the calls and their cost from the budgets of the task. */
  readonly taking: readonly Operation[]
}

/** Result of a grant: the token to issue. */
export interface TokenDecision {
  readonly kind: 'root' | 'introduced'
  readonly authenticated: { readonly client: TokenClient; readonly key: AuthenticatedClient['key'] | undefined }
  /** The organisation of the audience, which may read about the token of an external client. */
  readonly audienceOrgId?: OrgId
  /** Thumbprint of the key that the token is bound to. Undefined for a bearer token. */
  readonly jkt: Jkt | undefined
  readonly sub: SubjectId
  readonly audience: Audience
  readonly scopes: readonly Scope[]
  readonly act?: Act | undefined
  readonly task?: { readonly id: TaskId; readonly reference?: string | undefined; readonly ancestors: readonly TaskId[] } | undefined
  /** The task is new: `by` creates it in the commit of the token. */
  readonly creation?: (TaskCreation & { readonly by: AuthenticatedClient }) | undefined
  readonly introductionId?: IntroductionId | undefined
  readonly person?: TokenPerson | undefined
  /** The session of the page that gets the token. */
  readonly sessionId?: SessionId | undefined
  /** Further operations of the token's commit. If one cannot be done, the request is decided again. */
  readonly alongside?: readonly Operation[] | undefined
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly delegation?: Delegation | undefined
  readonly exchangeRights?: readonly Right[] | undefined
  readonly calls?: CallLimit | undefined
  /** The commit of the token takes it. */
  readonly approval?: TakenApproval | undefined
  /** Requested lifetime. A longer one than the maximum is limited to it. */
  readonly seconds?: number | undefined
  /** Maximum lifetime. Default: that of the kind. */
  readonly maxSeconds?: number | undefined
  readonly parents: readonly TokenId[]
  /** Dependencies of everything that the decision read, besides the client and its key. */
  readonly dependencies: readonly Dependencies[]
}
