import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import { type Caller, isAdminOf } from '../../../http/caller.js'
import type { Random } from '../../../lib/random.js'
import { type ClientUri, ExternalClientId, type OrgId } from '../../../protocol/ids.js'
import type { Storage } from '../../../storage/storage.js'
import type { Committed } from '../../../trust-log/trust-log.js'
import type { CountedCommit } from '../../limits/quota.js'
import { allowingClient, newDocument } from '../admissions.js'
import type { AdmitDeps } from '../admit.js'
import { type ClientView, findStored, requireSeen, type StoredClient, viewOf } from '../read.js'
import type { RevokeClientDeps } from '../revoke.js'

export interface AllowDeps extends RevokeClientDeps, Pick<AdmitDeps, 'fetchClientDocument'> {
  readonly random: Random
  readonly storage: Pick<Storage, 'commit'>
  readonly commitClientDocument: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

const MAX_ATTEMPTS = 3

/** Lets the people of the caller's organisation consent to an external client, by its id or the URL of its metadata. */
export async function allowClient(deps: AllowDeps, caller: Caller, clientId: ExternalClientId | ClientUri): Promise<ClientView> {
  requireAdmin(caller)
  const id = ExternalClientId.safeParse(clientId)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const client = id.success ? await findStored(deps, id.data) : await storedDocument(deps, caller, clientId)
    if (!client) return refuse('not_found', 'no such client')
    if (deps.trustLog.ended.has(client.client.handle)) refuse('conflict', 'the client was revoked')
    const { orgId } = caller
    const committed = await deps.storage.commit([
      await allowingClient(deps, {
        orgId,
        clientId: client.client.id,
        ...(client.kind === 'document' && { uri: client.client.uri }),
        createdAt: deps.trustLog.now(),
      }),
      deps.audit.recording(auditDraft(caller, 'clients.allow', { subject: client.client.id })),
    ])
    if (committed.ok) return viewOf(deps, caller, client)
  }
  return refuse('conflict', 'the client was allowed or admitted concurrently; try again')
}

/** The document of a client that is known by its URL; fetched and stored if the registry does not know it yet. */
async function storedDocument(deps: AllowDeps, caller: Caller, clientId: string): Promise<StoredClient | undefined> {
  const { uri, metadata, freshSeconds } = await deps.fetchClientDocument(clientId, caller)
  const known = await deps.clientDocuments.get(uri)
  if (known) return { kind: 'document', client: known }
  // The fetch may have taken seconds
  const { now } = await deps.trustLog.readBarrier()
  const document = newDocument(deps, uri, { metadata, fetchedAt: now, freshUntil: now + freshSeconds })
  await deps.commitClientDocument(caller.orgId, (counting) =>
    deps.trustLog.commit({
      type: 'client.registered',
      dependsOn: caller.dependencies.handles,
      operations: [...counting, deps.clientDocuments.inserting(document)],
    }),
  )
  const stored = await deps.clientDocuments.get(uri)
  return stored && { kind: 'document', client: stored }
}

/** Takes the permission back. Consents that people gave stay valid until they are revoked. */
export async function disallowClient(deps: AllowDeps, caller: Caller, id: ExternalClientId): Promise<ClientView> {
  requireAdmin(caller)
  const client = await requireSeen(deps, caller, id)
  const use = await deps.clientUses.get(`${caller.orgId} ${id}`)
  if (use?.allowedAt === undefined) return refuse('conflict', 'the client is not in the list of allowed clients')
  await deps.storage.commit([
    deps.clientUses.changing(use.id, {}, { allowedAt: undefined }),
    deps.audit.recording(auditDraft(caller, 'clients.disallow', { subject: id })),
  ])
  return viewOf(deps, caller, client)
}

const requireAdmin = (caller: Caller): void => {
  if (!isAdminOf(caller, caller.orgId)) refuse('forbidden', 'only administrators allow clients')
}
