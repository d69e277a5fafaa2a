import type { Caller } from '../../http/caller.js'
import type { EnrolmentId, Jkt } from '../../protocol/ids.js'
import type { KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { findEnrolments } from './find.js'
import type { EnrolDeps } from './register.js'

/** An enrolled key as those who manage it see it. */
export interface EnrolmentView {
  readonly enrolmentId: EnrolmentId
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jkt: Jkt
  readonly alg: string
  readonly enrolledAt: number
  readonly retiresAt?: number | undefined
  readonly state: 'active' | 'retired' | 'ended'
}

/** An owner's keys, the oldest first. */
export async function listEnrolments(
  deps: Pick<EnrolDeps, 'enrolments' | 'trustLog'> & OwnerDeps,
  caller: Caller,
  owner: KeyOwner,
): Promise<{ readonly items: readonly EnrolmentView[] }> {
  await requireOwner(deps, caller, owner)
  const enrolments = await findEnrolments(deps, owner)
  const items = enrolments.map(({ id, use, jkt, alg, at, handle, retiresAt }): EnrolmentView => {
    const state = deps.trustLog.ended.has(handle) ? 'ended' : retiresAt === undefined ? 'active' : 'retired'
    return { enrolmentId: id, owner, use, jkt, alg, enrolledAt: at, retiresAt, state }
  })
  return { items }
}
