import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { parsePublicJwk } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import { newAgent } from '../../identity/agents/register.js'
import type { AgentsStore } from '../../identity/agents/store.js'
import { firstSlots, reservingSlots } from '../../identity/keys/quota-slots.js'
import { newRegisteredKey } from '../../identity/keys/register.js'
import type { RegisteredKeysStore } from '../../identity/keys/store.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import { requireReadableName, takingName } from '../../identity/names/agent-names.js'
import type { OrganisationsStore } from '../../identity/organisations/store.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { Random } from '../../lib/random.js'
import { type Audience, newId, type OrgId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import type { Proposal } from '../../protocol/log/entry.js'
import { type Bounds, type Ceiling, MAX_NAMES, nameOfRight, type Right } from '../../protocol/rights.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { AskingAgent } from '../authorize/client.js'
import type { RequestedAgent } from './store.js'

export interface RegisterDeviceAgentDeps {
  readonly agents: AgentsStore
  readonly registeredKeys: RegisteredKeysStore
  readonly organisations: OrganisationsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
  readonly random: Random
  readonly audit: Audit
  readonly commitAgent: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

/** The agent of a device as the client of its request, before a person has decided. */
export const clientOfRequested = ({ id, name }: RequestedAgent, orgId: OrgId): AskingAgent => ({
  kind: 'agent',
  id,
  orgId,
  role: 'agent',
  name,
  ceiling: { rights: [], tokenSeconds: TOKEN_SECONDS, delegationDepth: 0 },
  dependencies: dependenciesOf([]),
  keys: [],
  isNew: true,
})

const TOKEN_SECONDS = 900

/** An agent that the commit of a decision registers. */
interface PreparedAgent {
  readonly client: AskingAgent
  readonly operations: readonly Operation[]
  readonly further: readonly Proposal[]
}

type Rights = readonly { readonly audience: Audience; readonly bounds: Bounds }[]

/**
 * Prepares the agent of a device, with the key that asked and the rights that the person allows. The agent belongs to the organisation of the person and
 * acts for this person only.
 */
export async function prepareAgent(
  deps: RegisterDeviceAgentDeps,
  { person, agent: requested, now }: { readonly person: PersonCaller; readonly agent: RequestedAgent; readonly now: number },
  name: string,
  rights: Rights,
): Promise<PreparedAgent> {
  requireReadableName(name)
  const { orgId } = person
  const organisation = (await deps.organisations.get(orgId)) ?? refuse('not_found', 'no such organisation')
  const agent = {
    ...newAgent(deps.random, {
      orgId,
      name,
      memberId: person.id,
      ceiling: ceilingOf(rights),
      introductionPolicy: IntroductionPolicy.parse({ mode: 'closed' }),
      grantedBy: [...person.identities],
      createdAt: now,
    }),
    id: requested.id,
  }
  const { registeredKey, digest } = newRegisteredKey(deps, {
    owner: agent.id,
    orgId,
    use: 'client',
    key: parsePublicJwk({ ...requested.jwk, alg: requested.alg }),
    grantedBy: person.identities,
    registeredAt: now,
    registeredBy: person.id,
  })
  return {
    client: {
      ...clientOfRequested(requested, orgId),
      name,
      ceiling: agent.ceiling,
      dependencies: dependenciesOf([agent.handle, agent.ceilingVer, organisation.handle]),
    },
    operations: [
      deps.agents.inserting(agent),
      ...(await takingName(deps, orgId, agent)),
      deps.registeredKeys.inserting(registeredKey),
      ...reservingSlots(deps.registeredKeys, firstSlots(agent.id, registeredKey.jkt), registeredKey),
      deps.audit.recording(auditDraft(person, 'agents.register', { subject: agent.id })),
    ],
    further: [
      { id: newId(deps.random, 'ent'), type: 'agent.registered', ends: [] },
      { id: registeredKey.entry, type: 'key.registered', ends: [], digest },
    ],
  }
}

/** The ceiling at registration: all rights that the person allows, delegation included. Later the consents decide (identity/clients/device-agent.ts). */
function ceilingOf(allowed: Rights): Ceiling {
  const rights: Right[] = allowed.flatMap(({ audience, bounds: { scopes, delegation } }) => [
    ...scopes.map((scope) => ({ audience, scope })),
    ...(delegation?.rights ?? []),
  ])
  const distinct = [...new Map(rights.map((right) => [nameOfRight(right), right])).values()]
  if (distinct.length > MAX_NAMES) refuse('bad_input', `an agent has at most ${MAX_NAMES} rights: untick some of them`)
  const { tools, resources } = allowed[0]?.bounds ?? {}
  return {
    rights: distinct,
    ...(tools && { tools }),
    ...(resources && { resources }),
    tokenSeconds: TOKEN_SECONDS,
    delegationDepth: Math.max(0, ...allowed.map(({ bounds }) => bounds.delegation?.depth ?? 0)),
  }
}
