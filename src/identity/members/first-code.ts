import type { Clock } from '../../lib/clock.js'
import { newHandle } from '../../protocol/handles.js'
import { newId, type OrgId } from '../../protocol/ids.js'
import type { Cursor } from '../../storage/storage.js'
import type { Organisation } from '../organisations/store.js'
import { type InviteDeps, newInvitation } from './invite.js'

const FIRST_CODE_SECONDS = 15 * 60

/** Where no operator stands: the one-time code with which the first one does. Each start makes a new code, and the old one void. */
export async function ensureFirstCode(deps: InviteDeps & { readonly clock: Clock }): Promise<string | undefined> {
  const { now } = await deps.trustLog.readBarrier()
  if (await hasOperator(deps)) return undefined
  const organisation = await operatorsOrganisation(deps, now)
  for (const earlier of (await deps.members.invitations.find('role', { where: { role: 'operator' }, limit: 100 })).items)
    if (earlier.grantedBy.length === 0) await deps.members.invitations.take(earlier.id, {})
  const terms = {
    orgId: organisation.id,
    role: 'operator' as const,
    by: [],
    on: [organisation.handle, deps.trustLog.epoch],
    expiresAt: now + FIRST_CODE_SECONDS,
  }
  const { invitation, code } = newInvitation(deps, terms)
  await deps.members.invitations.insert(invitation)
  return code
}

async function hasOperator({ members, trustLog }: InviteDeps): Promise<boolean> {
  for (let after: Cursor | undefined; ; ) {
    const page = await members.collection.find('role', { where: { role: 'operator' }, limit: 100, ...(after && { after }) })
    if (page.items.some(({ handle }) => !trustLog.ended.has(handle))) return true
    if (page.next === undefined) return false
    after = page.next
  }
}

/** The organisation of those who run the registry. Of two instances that start at once each may make one; the oldest counts. */
async function operatorsOrganisation(deps: InviteDeps, now: number): Promise<Organisation> {
  const find = async () =>
    (await deps.organisations.collection.find('role', { where: { role: 'operators' }, limit: 10 })).items.find(
      (one) => one.hidden === undefined,
    )
  const known = await find()
  if (known) return known
  const id: OrgId = newId(deps.random, 'org')
  const organisation: Organisation = {
    id,
    name: 'Operators',
    handle: newHandle(deps.random, 'org'),
    grantedBy: [],
    at: now,
    role: 'operators',
  }
  await deps.organisations.begin(organisation, { type: 'organisation.created', begins: [organisation.handle], dependsOn: [] })
  return (await find()) ?? organisation
}
