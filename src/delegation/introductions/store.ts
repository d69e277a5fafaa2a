import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, EntryId, IntroductionId, OrgId, TaskId } from '../../protocol/ids.js'
import { Bounds } from '../../protocol/rights.js'
import type { Collection, Storage } from '../../storage/storage.js'
import { begins, type Cache, newCache } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Granted } from './decide/granted.js'

/** What was answered. `granted` says that it was, and that it still stands its handle says; `ended` keeps it out of the way of others. */
const State = z.enum(['pending', 'granted', 'denied', 'ended'])

export const Introduction = z.strictObject({
  id: IntroductionId,
  from: AgentId,
  to: AgentId,
  fromOrg: OrgId,
  toOrg: OrgId,
  /** `<from> <to>`. */
  pair: z.string().max(64),
  purpose: z.string().max(512),
  requested: Bounds,
  /** Ids of the skills that the requester relies on: those that it named, or all that it could see. */
  skills: z.array(z.string().max(256)).max(64),
  taskId: TaskId.optional(),
  seconds: z.int(),
  state: State,
  /** `int:`, and the `ver:` of the granted bounds. */
  handle: Handle,
  ver: Handle,
  at: z.int(),
  /** A pending one is answered before this, or not at all. */
  pendingUntil: z.int(),
  /** Its number among the requests of its agent that wait. */
  slot: z.int().min(0).optional(),
  bounds: Bounds.optional(),
  /** Versions of what it relies on in the target's card. */
  pinnedVersions: z.array(Handle).max(65).optional(),
  /** Identities of both sides when it was granted. */
  dependsOn: z.array(Handle).max(64).optional(),
  /** By which handles it was granted. */
  grantedBy: z.array(Handle).max(16).optional(),
  grantedAt: z.int().optional(),
  expiresAt: z.int().optional(),
  note: z.string().max(512).optional(),
  /** Some time after it was denied, ended, or has expired. */
  goneAt: z.int().optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Introduction = z.infer<typeof Introduction>

/** What one waiting request of an agent has for itself, so that they are few: one number (`<from> <n>`), until it is answered or too late. */
const PendingPlace = z.strictObject({
  id: z.string().max(64),
  from: AgentId,
  n: z.int().min(0),
  introductionId: IntroductionId,
  until: z.int(),
})
type PendingPlace = z.infer<typeof PendingPlace>

export interface IntroductionsStore extends Records<Introduction> {
  readonly places: Collection<PendingPlace>
  /** Those of a pair that were granted. */
  readonly granted: Cache<readonly Granted[]>
}

export function introductionsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): IntroductionsStore {
  const records = newRecords(
    deps,
    deps.storage.collection<Introduction>({
      name: 'introductions',
      schema: Introduction,
      key: 'id',
      indexes: {
        pairGranted: { fields: ['pair', 'state', 'expiresAt'] },
        fromGranted: { fields: ['from', 'state', 'expiresAt'] },
        from: { fields: ['from', 'at'] },
        to: { fields: ['to', 'at'] },
        fromOrg: { fields: ['fromOrg', 'at'] },
        toOrg: { fields: ['toOrg', 'at'] },
        grantedBy: { fields: ['grantedBy', 'grantedAt'] },
      },
      expires: 'goneAt',
    }),
    // A pending one that is being granted ends nothing: whoever reads it meanwhile finds it pending.
    { kind: 'introductions', versions: () => [] },
  )
  const places = deps.storage.collection<PendingPlace>({
    name: 'pending-places',
    schema: PendingPlace,
    key: 'id',
    indexes: { from: { fields: ['from', 'n'] } },
    expires: 'until',
  })
  return { ...records, places, granted: newCache(deps.trustLog, (entry) => begins(entry, 'int')) }
}
