import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import { MemberId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { endingProof, excludingOtherProofs, type NamespacesDeps, requireClaimable } from './authority.js'
import { findEvidence } from './evidence.js'
import { findClaim, findNamespace, isProved } from './find.js'
import { namespaceIdOf, pathOf, requireNamespaceName } from './name.js'
import { CHECK_SECONDS, recheck } from './recheck.js'
import type { Namespace, NamespaceClaim, ProofMethod } from './store.js'
import { type NamespaceView, namespaceView } from './view.js'

/** Proves a namespace that the caller's organisation has claimed, or checks again one that it has proved. */
export async function checkNamespace(deps: NamespacesDeps, caller: Caller, text: string): Promise<NamespaceView> {
  const { orgId } = caller
  const name = requireNamespaceName(deps, text)
  const [claim, known] = await Promise.all([findClaim(deps, orgId, name), findNamespace(deps, name)])
  if (known?.orgId === orgId && isProved(deps, known)) {
    const draft = auditDraft(caller, 'namespaces.check', { subject: name })
    return namespaceView(deps, await recheck(deps, known, draft), orgId)
  }
  if (!claim)
    return refuse('not_found', `your organisation has no namespace ${name}`, {
      faults: [{ pointer: '/name', hint: 'namespaces.add it first' }],
    })
  return namespaceView(deps, await prove(deps, caller, claim), orgId)
}

/** Finds the evidence for a claim, and saves the proof. If another name is proved at the same time, the claim is checked against it. */
async function prove(deps: NamespacesDeps, caller: Caller, claim: NamespaceClaim): Promise<Namespace> {
  const { name, challenge } = claim
  await requireClaimable(deps, caller.orgId, name)
  const evidence = await findEvidence(deps, { name, challenge }, { methods: ['txt', 'file'], cause: caller })
  if ('failure' in evidence)
    return refuse('namespace_unverified', `${name} is not proved: ${evidence.failure}`, {
      faults: [{ pointer: '/name', hint: 'publish the record or the file that namespaces.add returned; a new record may take minutes' }],
    })
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const saved = await saveProof(deps, caller, claim, evidence.method)
    if (saved !== 'retry') return saved
  }
  return refuseChanged()
}

const MAX_ATTEMPTS = 10
const refuseChanged = (): never => refuse('conflict', 'the namespace was changed concurrently, or your access was revoked; try again')

/** Each proof starts a new version, and nothing that was verified earlier depends on it. The proof of the previous owner ends. */
async function saveProof(
  deps: NamespacesDeps,
  caller: Caller,
  { id: claimId, name, challenge }: NamespaceClaim,
  method: ProofMethod,
): Promise<Namespace | 'retry'> {
  const excluding = await excludingOtherProofs(deps, name)
  // The look-up may have taken seconds
  const known = await requireClaimable(deps, caller.orgId, name)
  const now = deps.trustLog.now()
  const next: Namespace = {
    id: namespaceIdOf(name),
    name,
    path: pathOf(name),
    orgId: caller.orgId,
    ver: newHandle(deps.random, 'ver'),
    method,
    challenge,
    provedAt: now,
    provedBy: MemberId.parse(caller.id),
    checkedAt: now,
    failures: 0,
    nextCheckAt: now + CHECK_SECONDS,
  }
  const ends = known && isProved(deps, known) ? [{ handle: known.ver }] : []
  const draft = auditDraft(caller, 'namespaces.check', {
    subject: name,
    facts: { method },
    ...(known && { otherOrgId: known.orgId }),
  })
  const committed = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [...identitiesOf(caller.dependencies.handles), ...ends.map(({ handle }) => handle)],
    operations: [
      excluding,
      ...savingProof(deps, known, next),
      deps.namespaces.claims.taking(claimId, { challenge }),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ],
  })
  if (committed.outcome === 'committed') return next
  return committed.outcome === 'conflict' && committed.failed === 0 ? 'retry' : refuseChanged()
}

function savingProof(deps: NamespacesDeps, known: Namespace | undefined, next: Namespace): readonly Operation[] {
  if (!known) return [deps.namespaces.inserting(next)]
  const guard = { ver: known.ver, offeredTo: known.offeredTo ?? null }
  const fields = replacing(next)
  return isProved(deps, known) ? endingProof(deps, known, guard, fields) : [deps.namespaces.changing(known.id, guard, fields)]
}

/** The fields of a new proof in place of those of an earlier one. */
function replacing({ id, ...fields }: Namespace) {
  return { ...fields, lastFailure: undefined, endedAt: undefined, endedState: undefined, offeredTo: undefined, offeredUntil: undefined }
}
