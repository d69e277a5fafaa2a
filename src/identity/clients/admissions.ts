import type { Random } from '../../lib/random.js'
import { newHandle } from '../../protocol/handles.js'
import { type AgentId, type ClientUri, type ExternalClientId, newId, type OrgId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import type { ClientDocument, ClientDocumentsStore, ClientUse, ClientUsesStore } from './store.js'

export interface AdmissionsDeps {
  readonly clientDocuments: ClientDocumentsStore
  readonly clientUses: ClientUsesStore
}

/** The admission of a client with a metadata document as an agent of an organisation. */
export interface Admission {
  readonly agentId: AgentId
  readonly orgId: OrgId
  /** When the first valid assertion made the agent active. */
  readonly confirmedAt?: number | undefined
  /** Records that the agent is active; fails if that was recorded before. */
  readonly confirming: (at: number) => Operation
}

/** Maximum number of organisations of one client that are read, oldest first. */
const MAX_READ = 100

/** A document that no organisation used before. */
export const newDocument = (
  { random }: { readonly random: Random },
  uri: ClientUri,
  fetched: Pick<ClientDocument, 'metadata' | 'fetchedAt' | 'freshUntil'>,
): ClientDocument => ({
  ...fetched,
  uri,
  id: newId(random, 'cli'),
  handle: newHandle(random, 'cli'),
  ver: newHandle(random, 'ver'),
  usedAt: fetched.fetchedAt,
})

const useId = (orgId: OrgId, clientId: ExternalClientId): string => `${orgId} ${clientId}`

/** Records that an organisation uses a client, or admits it in place of an earlier admission. Of two at once, one fails. */
export async function usingClient({ clientUses }: Pick<AdmissionsDeps, 'clientUses'>, use: Omit<ClientUse, 'id'>): Promise<Operation> {
  const id = useId(use.orgId, use.clientId)
  const earlier = await clientUses.get(id)
  const { agentId } = use
  return earlier
    ? clientUses.changing(id, { agentId: earlier.agentId ?? null }, agentId ? { agentId, confirmedAt: undefined } : {})
    : clientUses.inserting({ id, ...use })
}

/** Records that an organisation allows its people to consent to a client. Of two at once, one fails. */
export async function allowingClient({ clientUses }: Pick<AdmissionsDeps, 'clientUses'>, use: Omit<ClientUse, 'id'>): Promise<Operation> {
  const id = useId(use.orgId, use.clientId)
  const allowedAt = use.createdAt
  return (await clientUses.get(id)) ? clientUses.changing(id, {}, { allowedAt }) : clientUses.inserting({ id, ...use, allowedAt })
}

/** The organisations that use a client, oldest first. */
export const usesOf = async ({ clientUses }: Pick<AdmissionsDeps, 'clientUses'>, id: ExternalClientId): Promise<readonly ClientUse[]> =>
  (await clientUses.find('client', { where: { clientId: id }, limit: MAX_READ })).items

/** The admissions of a client, oldest first, whether or not their agents stand. Only of the first MAX_READ organisations that use the client. */
export async function admissionsOf(deps: AdmissionsDeps, document: ClientDocument): Promise<readonly Admission[]> {
  return [...earlierAdmission(deps, document), ...(await usesOf(deps, document.id)).flatMap((use) => admissionOf(deps, use))]
}

/** The admissions by one organisation, whether or not their agents stand: at most one, and one that an earlier build stored. */
export async function admissionsBy(deps: AdmissionsDeps, document: ClientDocument, orgId: OrgId): Promise<readonly Admission[]> {
  const use = await deps.clientUses.get(useId(orgId, document.id))
  return [...earlierAdmission(deps, document).filter((admission) => admission.orgId === orgId), ...(use ? admissionOf(deps, use) : [])]
}

function earlierAdmission({ clientDocuments }: AdmissionsDeps, document: ClientDocument): readonly Admission[] {
  const { uri, ver, agentId, orgId, confirmedAt } = document
  if (agentId === undefined || orgId === undefined) return []
  const confirming = (at: number) => clientDocuments.changing(uri, { ver, confirmedAt: null }, { confirmedAt: at })
  return [{ agentId, orgId, confirmedAt, confirming }]
}

function admissionOf({ clientUses }: AdmissionsDeps, { id, orgId, agentId, confirmedAt }: ClientUse): readonly Admission[] {
  if (agentId === undefined) return []
  const confirming = (at: number) => clientUses.changing(id, { agentId, confirmedAt: null }, { confirmedAt: at })
  return [{ agentId, orgId, confirmedAt, confirming }]
}

/** Finds how an agent was admitted. */
export async function findAdmission(
  deps: AdmissionsDeps,
  { id, orgId, clientUri }: { readonly id: string; readonly orgId: OrgId; readonly clientUri?: ClientDocument['uri'] | undefined },
): Promise<Admission | undefined> {
  const document = clientUri && (await deps.clientDocuments.get(clientUri))
  return document && (await admissionsBy(deps, document, orgId)).find(({ agentId }) => agentId === id)
}
