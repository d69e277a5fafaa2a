// Notifications that introductions need another approval, because the target's card lost what they rely on. They are posted right after the
// publication, not in its commit: one card may have a thousand introductions. If the server stops in between, or a key is revoked (the
// registry does not know which cards it signed), they are posted when an exchange is refused.
// Cost: one page of 100 introductions is read at a time, and one commit made for each that needs an approval.
import { isRefusal } from '../../../errors.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { Storage } from '../../../storage/storage.js'
import type { InboxStore } from '../../inbox/store.js'
import { type FindIntroductionDeps, grantedIn } from '../find.js'
import type { SideDeps } from '../introduction.js'
import type { Introduction } from '../store.js'
import { nextRevision, notifying } from '../view.js'
import { type GrantedIntroduction, type SortDeps, sortByReliance } from './granted.js'

type NotifyDeps = FindIntroductionDeps & SortDeps & SideDeps & { readonly inbox: InboxStore; readonly storage: Pick<Storage, 'commit'> }

/** Both sides are notified again only after this time, so a card that changes back and forth does not fill inboxes. */
const NOTIFY_SECONDS = 86_400
const BATCH = 100

/** Notifies both sides of the introductions to an agent that need another approval. */
export async function notifyOfChanges(deps: NotifyDeps, to: AgentId): Promise<void> {
  try {
    const batch: Introduction[] = []
    const notify = async () => {
      const relying = batch.splice(0).flatMap((record) => (record.reliance ? [{ record, reliance: record.reliance }] : []))
      const { affected } = await sortByReliance(deps, to, relying)
      await Promise.all(affected.map(({ introduction }) => notifySides(deps, introduction.record)))
    }
    for await (const introduction of grantedIn(deps, 'toGranted', { to })) if (batch.push(introduction) === BATCH) await notify()
    await notify()
  } catch (error) {
    // The card is published already.
    if (!isRefusal(error)) throw error
  }
}

/** Notifies both sides of introductions that an exchange found to need another approval. */
export async function notifyOfRefusal(deps: NotifyDeps, affected: readonly Pick<GrantedIntroduction, 'id'>[]): Promise<void> {
  const records = await Promise.all(affected.map(({ id }) => deps.introductions.get(id)))
  await Promise.all(records.map((record) => record && notifySides(deps, record)))
}

/** If several callers notify at once, or a decision is made meanwhile, only one commit succeeds. */
async function notifySides(deps: NotifyDeps, introduction: Introduction): Promise<void> {
  const { id, state, notifiedAt, revision } = introduction
  const now = deps.trustLog.now()
  if (state !== 'granted' || (notifiedAt !== undefined && now < notifiedAt + NOTIFY_SECONDS)) return
  const fields = { notifiedAt: now, ...nextRevision(introduction, now) }
  const changing = deps.introductions.changing(id, { state, revision }, fields)
  const committed = await deps.storage.commit([changing, ...(await notifying(deps, { ...introduction, ...fields }, 'needsApproval'))])
  if (committed.ok) deps.inbox.notifyPosted()
}
