import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Change, Cursor, Guard, Operation } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { AgentsStore } from '../agents/store.js'
import type { CountedCommit } from '../limits/quota.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { EvidenceDeps } from './evidence.js'
import { isProved } from './find.js'
import { namespaceIdOf, withParents } from './name.js'
import type { Namespace, NamespacesStore } from './store.js'

/** Dependencies of the operations on namespaces. */
export interface NamespacesDeps extends EvidenceDeps {
  readonly namespaces: NamespacesStore
  readonly organisations: OrganisationsStore
  readonly agents: Pick<AgentsStore, 'cardsToIndex'>
  readonly trustLog: TrustLog
  readonly random: Pick<Random, 'token'>
  readonly audit: Audit
  readonly issuer: string
  readonly dev: boolean
  /** Commits a claim that counts for the organisation. */
  readonly commitClaim: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

/** Operations for a commit that ends the proof of a namespace: the change of its record, and that the cards of the organisation are indexed again. */
export const endingProof = (
  { namespaces, agents, trustLog }: Pick<NamespacesDeps, 'namespaces' | 'agents' | 'trustLog'>,
  { id, ver, orgId }: Namespace,
  guard: Guard<Namespace>,
  fields: Change<Namespace>,
): readonly Operation[] => [
  namespaces.changing(id, { ver, ...guard }, fields),
  agents.cardsToIndex.inserting({ id: ver, orgId, createdAt: trustLog.now() }),
]

/**
 * Refuses a name that an organisation may not prove: one that looks like a known name, or is below or above one that does, and one that another
 * organisation has proved before and did not offer. Agents, cards and their readers know that name as the other organisation's, also after its
 * proof has ended: the domain may have been sold since. So a new name is refused too if it is below such a name whose proof has ended, or above
 * any. Below a name whose proof stands, its owner decides by its DNS zone. A name whose proof has ended and that was offered to the organisation
 * stands in the way of no name that looks like it: so an operator helps the owner of a domain whose look-alike was proved first.
 */
export async function requireClaimable(
  deps: Pick<NamespacesDeps, 'namespaces' | 'trustLog'>,
  orgId: OrgId,
  name: string,
): Promise<Namespace | undefined> {
  const [namespace, ...parents] = await Promise.all(withParents(name).map((part) => deps.namespaces.get(namespaceIdOf(part))))
  const isOffered = ({ offeredTo, offeredUntil = 0 }: Namespace) => offeredTo === orgId && offeredUntil > deps.trustLog.now()
  const lookAlike = [namespace, ...parents].find(
    (known) => known && !isWithin(name, known.name) && !(isOffered(known) && !isProved(deps, known)),
  )
  if (lookAlike) return refuseLookAlike(name, lookAlike)
  if (namespace?.orgId === orgId) return namespace
  const isOthers = (known: Namespace | undefined): known is Namespace => known !== undefined && known.orgId !== orgId && !isOffered(known)
  const owned = [namespace, ...parents.filter((parent) => parent && !isProved(deps, parent))].find(isOthers)
  if (owned) return refuseOwned(deps, owned)
  if (namespace) return namespace
  for await (const known of namesBelow(deps, name))
    if (isOthers(known)) return isWithin(known.name, name) ? refuseOwned(deps, known) : refuseLookAlike(name, known)
  return undefined
}

/**
 * An operation for the commit of a proof. Create it before the known names are read: of two proofs below the same two labels at the same time, such
 * as those of `modern.test` and `pay.rnodern.test`, one fails.
 */
export async function excludingOtherProofs({ namespaces, random }: NamespacesDeps, name: string): Promise<Operation> {
  const { roots } = namespaces
  const id = namespaceIdOf(withParents(name).at(-1) ?? name)
  const root = await roots.get(id)
  const changeId = random.token(16)
  return root ? roots.changing(id, { changeId: root.changeId }, { changeId }) : roots.inserting({ id, changeId })
}

/** The known names below a name, and below names that look like it. */
async function* namesBelow({ namespaces }: Pick<NamespacesDeps, 'namespaces'>, name: string): AsyncGenerator<Namespace> {
  let after: Cursor | undefined
  do {
    const page = await namespaces.find('below', { where: { path: namespaceIdOf(name) }, limit: PAGE, ...(after && { after }) })
    yield* page.items
    after = page.next
  } while (after)
}
const PAGE = 100

const isWithin = (name: string, parent: string): boolean => name === parent || name.endsWith(`.${parent}`)

const refuseLookAlike = (name: string, known: Namespace): never =>
  refuse('name_confusable', `${name}, or a name above or below it, looks like ${known.name}, which is known here (UTS 39)`, {
    faults: [
      {
        pointer: '/name',
        hint: 'use another name; if the domain is yours, ask the operator of the registry to end the other proof (namespaces.remove) and to offer that name to your organisation (namespaces.transfer)',
      },
    ],
  })

const refuseOwned = (deps: Pick<NamespacesDeps, 'trustLog'>, known: Namespace): never =>
  refuse('namespace_continuity', `another organisation ${isProved(deps, known) ? 'has proved' : 'proved'} ${known.name}`, {
    faults: [
      {
        pointer: '/name',
        hint: 'that organisation must offer it to yours (namespaces.transfer); if it cannot, ask the operator of the registry',
      },
    ],
  })
