import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import { type AgentId, type Audience, audienceOf, type ClientUri, cardBaseUrlOf } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { type CeilingInput, ceilingOf } from '../agents/agent.js'
import type { AgentsDeps } from '../agents/authority.js'
import { isRevoked } from '../agents/end-agent.js'
import { newAgent } from '../agents/register.js'
import { requireReadableName, takingName } from '../names/agent-names.js'
import { admissionsBy, newDocument, usingClient } from './admissions.js'
import type { ClientMetadata } from './metadata/metadata.js'
import type { ClientDocument } from './store.js'

export interface AdmitDeps extends AgentsDeps {
  /** Fetches the metadata of a client for a caller; refuses a text that is no URL of such a document. */
  readonly fetchClientDocument: (
    clientId: string,
    caller: Pick<Caller, 'id' | 'orgId'>,
  ) => Promise<{ readonly uri: ClientUri; readonly metadata: ClientMetadata; readonly freshSeconds: number }>
}

interface AdmitInput {
  readonly clientId: string
  readonly name: string
  readonly ceiling: CeilingInput
  readonly introductionPolicy: IntroductionPolicy
}

export interface AgentAdmitted {
  readonly agentId: AgentId
  /** The URL with which the agent authenticates. */
  readonly clientId: ClientUri
  readonly audience: Audience
  readonly cardBaseUrl: string
}

/**
 * Registers an agent whose `client_id` is the URL of its metadata. It authenticates with the keys of the document; the first valid assertion makes it
 * active. Each organisation may admit a URL once, until its agent is revoked, so no organisation keeps another one out.
 */
export async function admitAgent(deps: AdmitDeps, caller: Caller, input: AdmitInput): Promise<AgentAdmitted> {
  requireReadableName(input.name)
  const { uri, metadata, freshSeconds } = await deps.fetchClientDocument(input.clientId, caller)
  if (metadata.token_endpoint_auth_method !== 'private_key_jwt' || !metadata.grant_types.some((type) => ALONE.test(type)))
    refuse('bad_input', 'the client cannot act as an agent', {
      faults: [
        { pointer: '/clientId', hint: 'its document must have private_key_jwt, and the grant type client_credentials or token exchange' },
      ],
    })
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    // The fetch may have taken seconds
    const { now } = await deps.trustLog.readBarrier()
    const admitted = await tryAdmit(
      deps,
      caller,
      input,
      newDocument(deps, uri, { metadata, fetchedAt: now, freshUntil: now + freshSeconds }),
    )
    if (admitted) return admitted
  }
  return refuse('conflict', 'your access or the organisation was revoked, or the name or the client id was taken, concurrently')
}

const MAX_ATTEMPTS = 3

/** Undefined if something changed meanwhile. */
async function tryAdmit(deps: AdmitDeps, caller: Caller, input: AdmitInput, fetched: ClientDocument): Promise<AgentAdmitted | undefined> {
  const { orgId } = caller
  const { uri, fetchedAt: now } = fetched
  const organisation = (await deps.organisations.get(orgId)) ?? refuse('not_found', 'no such organisation')
  const agent = {
    ...newAgent(deps.random, {
      orgId,
      name: input.name,
      ceiling: ceilingOf(deps.issuer, input.ceiling),
      introductionPolicy: input.introductionPolicy,
      grantedBy: [...caller.identities],
      createdAt: now,
    }),
    clientUri: uri,
  }
  const naming = await takingName(deps, orgId, agent)
  const known = await deps.clientDocuments.get(uri)
  const document = known ?? fetched
  if (deps.trustLog.ended.has(document.handle)) refuse('conflict', 'an operator of the registry revoked this client')
  for (const admission of await admissionsBy(deps, document, orgId))
    if (!(await isRevoked(deps, admission.agentId)))
      refuse('already_exists', 'another agent of this organisation has this client id; it is free once that agent is revoked')
  const { outcome } = await deps.commitAgent(orgId, async (counting) =>
    deps.trustLog.commit({
      type: 'agent.registered',
      dependsOn: [...identitiesOf(caller.dependencies.handles), organisation.handle, document.handle],
      operations: [
        ...counting,
        deps.agents.inserting(agent),
        ...naming,
        known ? deps.clientDocuments.changing(uri, { handle: known.handle }, { usedAt: now }) : deps.clientDocuments.inserting(document),
        await usingClient(deps, { orgId, clientId: document.id, uri, agentId: agent.id, createdAt: now }),
        deps.audit.recording(auditDraft(caller, 'agents.admit', { orgId, subject: agent.id })),
      ],
    }),
  )
  if (outcome !== 'committed') return undefined
  const audience = audienceOf(deps.issuer, agent.id)
  return { agentId: agent.id, clientId: uri, audience, cardBaseUrl: cardBaseUrlOf(audience) }
}

/** The grant types of a client that acts alone. */
const ALONE = /^client_credentials$|:token-exchange$/
