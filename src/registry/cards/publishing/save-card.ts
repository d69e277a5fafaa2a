import { auditRow } from '../../../audit/audit-row.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { Random } from '../../../lib/random.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import type { EntryId } from '../../../protocol/ids.js'
import type { Operation } from '../../../storage/storage.js'
import type { RecordBeginning } from '../../../trust-log/records/records.js'
import type { PublishDeps } from '../authority.js'
import { endedVersions, padWithDecoys, unchangedGuard } from '../card.js'
import type { Card } from '../card-record.js'

/**
 * Records the content of a card together with the log entry that publishes it.
 * Content that a later version has replaced is refused: its signature is still valid, so publishing it again would roll the card back.
 */
export async function recordingVersion(
  { cards, trustLog }: Pick<PublishDeps, 'cards' | 'trustLog'>,
  previous: Card | undefined,
  {
    card: { agentId, cardSha256, version },
    entry,
    publishedAt,
  }: { readonly card: Card; readonly entry: EntryId; readonly publishedAt: number },
): Promise<readonly Operation[]> {
  const id = `${agentId} ${cardSha256}`
  const known = await cards.versions.get(id)
  if (known === undefined) return [cards.versions.inserting({ id, agentId, version, entry, publishedAt })]
  // If the log entry does not exist, the recorded publication failed.
  if ((await trustLog.find(known.entry)) === undefined)
    return [cards.versions.changing(id, { entry: known.entry }, { version, entry, publishedAt })]
  return previous?.cardSha256 === cardSha256
    ? []
    : refuse('card_version_stale', `version ${known.version} had this content; an earlier version cannot be published again`)
}

interface CardSave {
  readonly previous: Card | undefined
  readonly card: Card
  readonly entry: EntryId
  readonly also: readonly Operation[]
  readonly dependsOn: readonly Handle[]
  /** True if only non-public parts change: neither the public card nor the log may show that this card changed. */
  readonly onlyNonPublic?: boolean
}

/**
 * Creates or changes the card's record. Of two publishers that read the same record, one succeeds and the other gets
 * `card_version_stale`.
 */
export async function saveCard(deps: PublishDeps, caller: Caller, save: CardSave, action: string): Promise<void> {
  const { previous, card } = save
  const outcome = await writeCard(deps, caller, save, action)
  if (outcome === 'begun' || outcome === 'done') return
  const current = await deps.cards.get(card.agentId)
  const isOvertaken = outcome === 'overtaken' || current?.version !== previous?.version || current?.revision !== previous?.revision
  refuse(
    isOvertaken ? 'card_version_stale' : 'conflict',
    isOvertaken
      ? 'the card was published concurrently; read the next version and sign again'
      : 'the agent, its organisation, the signing key or your own access was revoked concurrently',
  )
}

async function writeCard(
  deps: PublishDeps,
  caller: Caller,
  { previous, card, entry, also, dependsOn, onlyNonPublic = false }: CardSave,
  action: string,
): Promise<'begun' | 'done' | 'overtaken' | 'refused'> {
  const row = deps.audit.recording(
    auditRow(caller, action, { orgId: card.orgId, subject: card.agentId, facts: { version: card.version, state: card.verdict.state } }),
  )
  const ended = previous && !previous.unpublished ? endedVersions(previous, card) : []
  const beginning = {
    ...logEntryFor(ended, onlyNonPublic, deps.random),
    id: entry,
    dependsOn: [...dependsOn, ...identitiesOf(caller.dependencies.handles)],
    also: [...also, row],
  }
  if (!previous) return (await deps.cards.begin(card, beginning)).outcome
  const { agentId: _, ...fields } = card
  const next = { ...fields, ...clearedFields(previous, card) }
  if (onlyNonPublic && ended.length === 0) return deps.cards.amend(card.agentId, unchangedGuard(previous), next, beginning.also)
  return (await deps.cards.change(card.agentId, unchangedGuard(previous), next, beginning)).outcome
}

/**
 * The entry in the public log. A publication is public, but the number of the card's parts is not, so the entry names none of the versions
 * that it begins. A change of non-public parts is logged like the change of any record, so the log does not show which card changed.
 */
function logEntryFor(ended: readonly Handle[], onlyNonPublic: boolean, random: Random): Pick<RecordBeginning, 'type' | 'begins' | 'ends'> {
  const ends = (onlyNonPublic && ended.length === 1 ? ended : padWithDecoys(ended, random)).map((handle) => ({ handle }))
  return onlyNonPublic ? { type: 'record.changed', begins: [newHandle(random, 'ver')], ends } : { type: 'card.published', begins: [], ends }
}

/** The fields of `previous` that `card` lacks, as null: a change removes only fields that it sets to null. */
const clearedFields = (previous: Card, card: Card): Record<string, null> =>
  Object.fromEntries(
    Object.keys(previous)
      .filter((name) => !(name in card) && !INTERNAL.has(name))
      .map((name) => [name, null]),
  )

const INTERNAL: ReadonlySet<string> = new Set(['hidden', 'nextEntry', 'next', 'agentId'])
