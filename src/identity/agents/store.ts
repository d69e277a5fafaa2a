import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { AgentId, AgentType, ClientId, ClientUri, MemberId, OrgId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { Ceiling, Restrictions } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { ClientChanges } from '../clients/metadata/changes.js'
import { LevelName } from '../levels/store.js'
import type { IntroductionTarget } from './agent.js'

export const Agent = z.strictObject({
  id: AgentId,
  orgId: OrgId,
  name: z.string().min(1).max(128),
  /** For the people of its organisation. */
  description: z.string().min(1).max(1024).optional(),
  /** The kind of agent, as its organisation calls it. Tokens name it. */
  agentType: AgentType.optional(),
  /** The scope level of its organisation that bounds its ceiling (identity/levels). */
  maxScopeLevel: LevelName.optional(),
  /** The agent that registered this one. */
  parent: AgentId.optional(),
  /** The person on whose device the agent runs. Its rights are those of this person's consents to it. */
  memberId: MemberId.optional(),
  /** Handle of kind `agt:`. The two versions below have kind `ver:`. */
  handle: Handle,
  ceiling: Ceiling,
  ceilingVer: Handle,
  introductionPolicy: IntroductionPolicy,
  /** Version of the introduction policy and of `understands`. */
  introductionPolicyVer: Handle,
  /** Restrictions of tokens for it that its server enforces. */
  understands: Restrictions.optional(),
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int().min(0),
  /** The URLs to which the browser of a person may be sent with an authorization code for the agent. */
  redirectUris: z.array(z.string().max(2048)).max(16).optional(),
  /** Changes of its name and redirect hosts. Those of keys are in their records. */
  changes: ClientChanges.optional(),
  /** The `client_id` of an agent that was admitted by the URL of its metadata. */
  clientUri: ClientUri.optional(),
  /**
   * The last suspension or revocation: the handle that it ended, its kind, and the rank of its caller. Reinstating needs at least that
   * rank.
   */
  endedHandle: Handle.optional(),
  endedState: z.enum(['suspended', 'revoked']).optional(),
  endedRank: z.int().min(0).max(3).optional(),
})
export type Agent = z.infer<typeof Agent>

/**
 * An unconfirmed registration. `tokenHash` is the digest of the registration token; without it, the first client assertion confirms (identity/clients).
 */
const Registration = z.strictObject({
  agentId: AgentId,
  /** The member or agent that allowed the registration. It must still be authorised when the agent confirms. Absent in one of an earlier build. */
  registeredBy: ClientId.optional(),
  epoch: Handle,
  tokenHash: z.string().length(43).optional(),
  expiresAt: z.int(),
})
export type Registration = z.infer<typeof Registration>

/** The cards of these agents must be indexed again: those of one agent and the agents below it, or of an organisation. */
const CardsToIndex = z.strictObject({
  /** The handle that ended, or that began with a reinstatement; of a key, a new one, because a key may end twice. */
  id: Handle,
  agentId: AgentId.optional(),
  orgId: OrgId,
  createdAt: z.int().min(0),
})
export type CardsToIndex = z.infer<typeof CardsToIndex>

/** A name that belongs to an agent. `id` is a digest of the organisation or namespace and the name, so that the record says nothing once the agent is erased. */
const AgentName = z.strictObject({ id: z.string().length(43), orgId: OrgId, agentId: AgentId })
type AgentName = z.infer<typeof AgentName>

export interface AgentsStore extends Collection<Agent> {
  readonly names: Collection<AgentName>
  readonly registrations: Collection<Registration>
  readonly cardsToIndex: Collection<CardsToIndex>
  readonly introductionTargets: Cache<IntroductionTarget>
}

export const AGENTS: OwnedSpec<Agent> = {
  name: 'agents',
  schema: Agent,
  key: 'id',
  indexes: {
    organisation: { fields: ['orgId', 'createdAt'] },
    parent: { fields: ['parent', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
    level: { fields: ['orgId', 'maxScopeLevel', 'createdAt'] },
  },
  ownedBy: ['orgId'],
}

export const AGENT_REGISTRATIONS: OwnedSpec<Registration> = {
  name: 'agent-registrations',
  schema: Registration,
  key: 'agentId',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['agentId'],
}

/** The name is that of a release in which only revocations wrote such records. */
export const CARDS_TO_INDEX: OwnedSpec<CardsToIndex> = {
  name: 'card-withdrawals',
  schema: CardsToIndex,
  key: 'id',
  indexes: { created: { fields: ['createdAt'] } },
  ownedBy: ['orgId'],
}

export const AGENT_NAMES: OwnedSpec<AgentName> = {
  name: 'agent-names',
  schema: AgentName,
  key: 'id',
  indexes: {},
  ownedBy: ['orgId'],
}

export const agentsStore = ({ storage, trustLog }: { readonly storage: Storage; readonly trustLog: TrustLog }): AgentsStore => ({
  ...storage.collection(AGENTS),
  names: storage.collection(AGENT_NAMES),
  registrations: storage.collection(AGENT_REGISTRATIONS),
  cardsToIndex: storage.collection(CARDS_TO_INDEX),
  // A new name and a reinstatement change an introduction target without ending a handle that it depends on.
  introductionTargets: newCache(trustLog, ({ type }) => type === 'record.changed' || type === 'agent.reinstated'),
})
