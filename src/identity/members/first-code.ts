import type { Clock } from '../../lib/clock.js'
import { newHandle } from '../../protocol/handles.js'
import { newId, type OrgId } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { Cursor } from '../../storage/storage.js'
import type { Organisation } from '../organisations/store.js'
import { type InviteDeps, newInvitation } from './invite.js'

const FIRST_CODE_SECONDS = 15 * 60

/**
 * Issues the one-time code with which the first operator joins. Returns undefined once the registry has an operator.
 * Each start issues a new code and deletes the earlier one.
 */
export async function ensureFirstCode(deps: InviteDeps & { readonly clock: Clock }): Promise<string | undefined> {
  const { now } = await deps.trustLog.readBarrier()
  if (await hasOperator(deps)) return undefined
  const organisation = await operatorsOrganisation(deps, now)
  await deleteEarlierCodes(deps)
  const terms = {
    orgId: organisation.id,
    role: 'operator' as const,
    grantedBy: [],
    dependencies: dependenciesOf([organisation.handle, deps.trustLog.epoch]),
    expiresAt: now + FIRST_CODE_SECONDS,
  }
  const { invitation, code } = newInvitation(deps, terms, now)
  await deps.members.invitations.insert(invitation)
  return code
}

/** Invitations by operators who have left are kept: they name who granted them, and are void. */
async function deleteEarlierCodes({ members: { invitations } }: InviteDeps): Promise<void> {
  for (let after: Cursor | undefined; ; ) {
    const page = await invitations.find('role', { where: { role: 'operator' }, limit: 100, ...(after && { after }) })
    for (const earlier of page.items) if (earlier.grantedBy.length === 0) await invitations.take(earlier.id, {})
    if (page.next === undefined) return
    after = page.next
  }
}

async function hasOperator({ members, trustLog }: InviteDeps): Promise<boolean> {
  for (let after: Cursor | undefined; ; ) {
    const page = await members.find('role', { where: { role: 'operator' }, limit: 100, ...(after && { after }) })
    if (page.items.some(({ handle }) => !trustLog.ended.has(handle))) return true
    if (page.next === undefined) return false
    after = page.next
  }
}

/**
 * Finds or creates the organisation of the operators.
 * Two instances that start at the same time may each create one; every later start uses the oldest.
 */
async function operatorsOrganisation(deps: InviteDeps, now: number): Promise<Organisation> {
  const find = async () => (await deps.organisations.find('role', { where: { role: 'operators' }, limit: 1 })).items[0]
  const known = await find()
  if (known) return known
  const id: OrgId = newId(deps.random, 'org')
  const organisation: Organisation = {
    id,
    name: 'Operators',
    handle: newHandle(deps.random, 'org'),
    grantedBy: [],
    createdAt: now,
    role: 'operators',
  }
  await deps.trustLog.commit({
    type: 'organisation.created',
    dependsOn: [],
    operations: [deps.organisations.inserting(organisation)],
  })
  return (await find()) ?? organisation
}
