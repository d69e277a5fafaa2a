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

/** Records that an organisation uses a client, or admits it in place of an earlier admission. Of two at once, one fails. */
export async function usingClient({ clientUses }: Pick<AdmissionsDeps, 'clientUses'>, use: Omit<ClientUse, 'id'>): Promise<Operation> {
  const id = `${use.orgId} ${use.clientId}`
  const earlier = await clientUses.get(id)
  const { agentId } = use
  return earlier
    ? clientUses.changing(id, { agentId: earlier.agentId ?? null }, agentId ? { agentId, confirmedAt: undefined } : {})
    : clientUses.inserting({ id, ...use })
}

/** The organisations that use a client, oldest first. */
export const usesOf = async ({ clientUses }: Pick<AdmissionsDeps, 'clientUses'>, id: ExternalClientId): Promise<readonly ClientUse[]> =>
  (await clientUses.find('client', { where: { clientId: id }, limit: MAX_READ })).items

/** The admissions of a client, oldest first, whether or not their agents stand. Each organisation has at most one. */
export async function admissionsOf(deps: AdmissionsDeps, document: ClientDocument): Promise<readonly Admission[]> {
  const { uri, ver, agentId, orgId, confirmedAt } = document
  const uses = await usesOf(deps, document.id)
  return [
    ...(agentId && orgId
      ? [
          {
            agentId,
            orgId,
            confirmedAt,
            confirming: (at: number) => deps.clientDocuments.changing(uri, { ver, confirmedAt: null }, { confirmedAt: at }),
          },
        ]
      : []),
    ...uses.flatMap((use) =>
      use.agentId === undefined
        ? []
        : [
            {
              agentId: use.agentId,
              orgId: use.orgId,
              confirmedAt: use.confirmedAt,
              confirming: (at: number) =>
                deps.clientUses.changing(use.id, { agentId: use.agentId ?? null, confirmedAt: null }, { confirmedAt: at }),
            },
          ],
    ),
  ]
}

/** Finds how an agent was admitted. */
export async function findAdmission(
  deps: AdmissionsDeps,
  { id, clientUri }: { readonly id: string; readonly clientUri?: ClientDocument['uri'] | undefined },
): Promise<Admission | undefined> {
  const document = clientUri && (await deps.clientDocuments.get(clientUri))
  return document && (await admissionsOf(deps, document)).find(({ agentId }) => agentId === id)
}
