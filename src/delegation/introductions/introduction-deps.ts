import type { Audit } from '../../audit/audit.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import type { Clients } from '../../identity/clients/clients.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import type { Random } from '../../lib/random.js'
import type { AgentId, ResourceId, TargetId, TaskId } from '../../protocol/ids.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import type { Storage } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { InboxStore } from '../inbox/store.js'
import type { ResourceAudience } from '../resources/find.js'
import type { ResourcesStore } from '../resources/store.js'
import type { TasksStore } from '../tasks/store.js'
import type { UsesStore } from '../uses/store.js'
import type { CapabilityStore } from './capability/store.js'
import type { Entitlement } from './decide/entitle.js'
import type { SideDeps } from './introduction.js'
import type { Introduction, IntroductionsStore } from './store.js'

export interface IntroductionDeps extends SideDeps {
  readonly introductions: IntroductionsStore
  readonly capabilities: CapabilityStore
  readonly inbox: InboxStore
  readonly tasks: TasksStore
  readonly resources: Pick<ResourcesStore, 'openPairs'>
  readonly uses: UsesStore
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly clients: Clients
  readonly issuer: string
  /** Commits a grant that counts for the pair and for the target. */
  readonly commitGrant: (granted: Introduction, commit: CountedCommit) => Promise<Committed>
  readonly findTarget: (id: TargetId) => Promise<IntroductionTarget | undefined>
  /** Finds a resource by its URI or its id. */
  readonly findResource: (uriOrId: string) => Promise<ResourceAudience | undefined>
  /** Without a tier: what callers with an introduction can rely on. */
  readonly findReliance: (id: TargetId, tier?: Entitlement['tier']) => Promise<CardReliance | undefined>
  readonly cachedReliance: (id: TargetId) => Promise<CardReliance | undefined>
  /** True if the agent is the audience of a valid token of the task. */
  readonly isCalledFor: (agentId: AgentId, taskId: TaskId) => Promise<boolean>
  /** The resources that the agent operates, by their current settings. */
  readonly findOperated: (agentId: AgentId) => Promise<readonly ResourceId[]>
  readonly entitle: (caller: Pick<Caller, 'id'>, agentId: AgentId) => Promise<Entitlement>
}
