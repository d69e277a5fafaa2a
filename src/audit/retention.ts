// How long the rows of an organisation are kept.
//
// A writer to the store could shorten a retention, and remove rows as if by it. So each setting has an entry in the trust log with its digest. The
// id of the entry follows from the organisation, the epoch and the number of the setting, so an earlier setting that is put back is noticed, too. A
// setting without its entry does not count: no row is removed by it, and `audit.verify` accepts no row that is missing.
//
// Limit: after a restore, an earlier setting that is put back is not noticed until maintenance has anchored the settings in the new epoch, within a minute.
import { digestOfJson, digestOfText } from '../credentials/jose/digest.js'
import { refuse } from '../errors.js'
import { type Caller, isAdminOf } from '../http/caller.js'
import type { Random } from '../lib/random.js'
import { type Handle, identitiesOf } from '../protocol/handles.js'
import { EntryId, type OrgId } from '../protocol/ids.js'
import type { Operation } from '../storage/storage.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import type { Audit } from './audit.js'
import { auditDraft } from './audit-draft.js'
import type { AuditRetention, AuditStore } from './store.js'

/** No organisation keeps its rows for less. */
export const MIN_DAYS = 30
export const MAX_DAYS = 36_500
const DAY_SECONDS = 86_400

export interface RetentionView {
  readonly orgId: OrgId
  /** Null: the rows are kept for ever. */
  readonly days: number | null
  /** The least that the organisation may set. */
  readonly minimumDays: number
}

interface SetRetentionInput {
  readonly days?: number | null | undefined
  readonly minimumDays?: number | null | undefined
}

interface SetRetentionDeps {
  readonly audit: Audit & { readonly store: AuditStore }
  readonly random: Pick<Random, 'token'>
  readonly trustLog: AuditedLog & Pick<ServedTrustLog, 'commit'>
}

/** The part of the trust log with which the audit is compared. */
export type AuditedLog = Pick<ServedTrustLog, 'find' | 'epoch' | 'now'>
type RetentionStore = Pick<AuditStore, 'retention'>

/** The place of a setting in the log. */
interface Anchor {
  readonly orgId: OrgId
  readonly epoch: Handle
  readonly number: number
}

const entryIdOf = ({ orgId, epoch, number }: Anchor): EntryId =>
  EntryId.parse(`ent_${digestOfText(`audit retention ${orgId} ${epoch} ${number}`).slice(0, 22)}`)

const digestOf = ({ position: _, removedBefore: __, ...setting }: AuditRetention): string => digestOfJson(setting)

/** The place of the setting that follows the stored one. */
const nextAnchor = ({ orgId, epoch, number }: Anchor, current: Handle): Anchor => ({
  orgId,
  epoch: current,
  number: epoch === current ? number + 1 : 0,
})

/** The setting of an organisation, if it is the one of its newest log entry. */
export async function findRetention(
  store: RetentionStore,
  log: Pick<AuditedLog, 'find' | 'epoch'>,
  orgId: OrgId,
): Promise<AuditRetention | undefined> {
  const stored = await store.retention.get(orgId)
  const { epoch, number } = stored ?? {}
  if (stored === undefined || epoch === undefined || number === undefined) return undefined
  const anchor = { orgId, epoch, number }
  const [entry, later] = await Promise.all([anchor, nextAnchor(anchor, log.epoch)].map((one) => log.find(entryIdOf(one))))
  if (later === undefined) return entry?.digest === digestOf(stored) ? stored : undefined
  // It may have been set meanwhile
  const isStale = (await store.retention.get(orgId))?.salt !== stored.salt
  return isStale ? findRetention(store, log, orgId) : undefined
}

export async function getRetention(store: RetentionStore, log: Pick<AuditedLog, 'find' | 'epoch'>, orgId: OrgId): Promise<RetentionView> {
  const setting = await findRetention(store, log, orgId)
  return { orgId, days: daysOf(setting) ?? null, minimumDays: minimumOf(setting) }
}

/** Sets how long the rows of an organisation are kept. Its administrators set `days`, operators `minimumDays`; null removes the value. */
export async function setRetention(
  deps: SetRetentionDeps,
  caller: Caller,
  orgId: OrgId,
  { days, minimumDays }: SetRetentionInput,
): Promise<RetentionView> {
  const { trustLog } = deps
  const { store } = deps.audit
  if (days !== undefined && !isAdminOf(caller, orgId))
    refuse('forbidden', 'only administrators of the organisation set how long its rows are kept; operators set minimumDays')
  if (minimumDays !== undefined && caller.role !== 'operator') refuse('forbidden', 'only operators set minimumDays')
  const [stored, current] = await Promise.all([store.retention.get(orgId), findRetention(store, trustLog, orgId)])
  const minimum = minimumDays === undefined ? minimumOf(current) : Math.max(MIN_DAYS, minimumDays ?? 0)
  if (typeof days === 'number' && days < minimum)
    refuse('bad_input', `days: the rows of this organisation are kept for at least ${minimum} days`, {
      faults: [{ pointer: '/days', hint: `at least ${minimum}` }],
    })
  const values = {
    orgId,
    days: days === undefined ? current?.days : (days ?? undefined),
    minimumDays: minimumDays === undefined ? current?.minimumDays : (minimumDays ?? undefined),
    setBy: days === undefined ? current?.setBy : caller.id,
    removableBefore: removableBefore(current, trustLog.now()),
  }
  const facts = Object.fromEntries(
    Object.entries({ days, minimumDays }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value ?? 'none']])),
  )
  const isSaved = await saveSetting(deps, stored, values, {
    dependsOn: identitiesOf(caller.dependencies.handles),
    also: [deps.audit.recording(auditDraft(caller, 'audit.setRetention', { otherOrgId: orgId, subject: orgId, facts }))],
  })
  if (!isSaved) refuse('conflict', 'the retention was set concurrently, or your own access was revoked; try again')
  return getRetention(store, trustLog, orgId)
}

type SaveDeps = Pick<SetRetentionDeps, 'random' | 'trustLog'> & { readonly audit: { readonly store: RetentionStore } }
interface Values extends Pick<AuditRetention, 'orgId'> {
  readonly days: number | undefined
  readonly minimumDays: number | undefined
  readonly setBy: AuditRetention['setBy']
  readonly removableBefore: number | undefined
}

/** Commits a setting in place of the stored one, with its log entry. False if the stored one was replaced at the same time, or a dependency has ended. */
async function saveSetting(
  { audit, random, trustLog }: SaveDeps,
  stored: AuditRetention | undefined,
  values: Values,
  { dependsOn, also }: { readonly dependsOn: readonly Handle[]; readonly also: readonly Operation[] },
): Promise<boolean> {
  const { retention } = audit.store
  const { orgId } = values
  const { epoch = trustLog.epoch, number = -1 } = stored ?? {}
  let anchor = nextAnchor({ orgId, epoch, number }, trustLog.epoch)
  // A setting that was removed from the store, or put back, has left entries
  while ((await trustLog.find(entryIdOf(anchor))) !== undefined) anchor = nextAnchor(anchor, trustLog.epoch)
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
  const setting: AuditRetention = { ...given, ...anchor, salt: random.token(16) }
  const { orgId: _, ...fields } = { ...values, ...setting }
  const { outcome } = await trustLog.commit({
    type: 'audit.anchored',
    id: entryIdOf(anchor),
    dependsOn,
    digest: digestOf(setting),
    operations: [
      // From the beginning again: rows that another organisation kept may be past its retention now
      stored === undefined
        ? retention.inserting(setting)
        : retention.changing(orgId, { salt: stored.salt ?? null }, { position: undefined, removedBefore: undefined, ...fields }),
      ...also,
    ],
  })
  return outcome === 'committed'
}

/** Anchors a setting of an earlier epoch in the present one. */
export async function anchorAgain(deps: SaveDeps, setting: AuditRetention): Promise<void> {
  const { orgId, days, minimumDays, setBy, removableBefore } = setting
  await saveSetting(deps, setting, { orgId, days, minimumDays, setBy, removableBefore }, { dependsOn: [], also: [] })
}

/** Epoch seconds: rows that were created before may have been removed by this setting or an earlier one. 0: none. */
export function removableBefore(setting: AuditRetention | undefined, now: number): number {
  return setting === undefined ? 0 : Math.max(setting.removableBefore ?? 0, cutoffOf(setting, now) ?? 0)
}

/** Epoch seconds: the rows before are removed. A midnight (UTC), so that rows are removed once a day. Undefined: all rows are kept. */
export function cutoffOf(retention: AuditRetention, now: number): number | undefined {
  const days = daysOf(retention)
  return days === undefined ? undefined : (Math.floor(now / DAY_SECONDS) - days) * DAY_SECONDS
}

const minimumOf = (stored: AuditRetention | undefined): number => Math.max(MIN_DAYS, stored?.minimumDays ?? 0)

const daysOf = (stored: AuditRetention | undefined): number | undefined =>
  stored?.days === undefined ? undefined : Math.max(stored.days, minimumOf(stored))
