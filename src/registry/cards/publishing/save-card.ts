import { auditRow } from '../../../audit/audit-row.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { Random } from '../../../lib/random.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import type { EntryId } from '../../../protocol/ids.js'
import type { Operation } from '../../../storage/storage.js'
import type { RecordBeginning } from '../../../trust-log/records/records.js'
import type { PublishDeps } from '../authority.js'
import { asRead, endedBy, padWithDecoys } from '../card.js'
import type { Card } from '../card-record.js'

/** Remembers a content under the entry that publishes it. One that another has followed is refused: a signature does not expire. */
export async function savingContent(
  { cards, trustLog }: Pick<PublishDeps, 'cards' | 'trustLog'>,
  before: Card | undefined,
  { card: { agentId, cardSha256, version }, entry, at }: { readonly card: Card; readonly entry: EntryId; readonly at: number },
): Promise<readonly Operation[]> {
  const id = `${agentId} ${cardSha256}`
  const known = await cards.versions.get(id)
  if (known === undefined) return [cards.versions.inserting({ id, agentId, version, entry, at })]
  // What was set out to be published and dropped was never a version.
  if ((await trustLog.find(known.entry)) === undefined) return [cards.versions.changing(id, { entry: known.entry }, { version, entry, at })]
  return before?.cardSha256 === cardSha256 ? [] : refuse('card_version_stale', 'this content was published before, as an earlier version')
}

interface Keeping {
  readonly before: Card | undefined
  readonly card: Card
  readonly entry: EntryId
  readonly also: readonly Operation[]
  readonly on: readonly Handle[]
  /** Only hidden parts change: nothing that anybody may read says so. */
  readonly isSecret?: boolean
}

/** Begins the card, or changes it: of two racing publishers one wins. */
export async function saveCard(deps: PublishDeps, caller: Caller, keeping: Keeping, action: string): Promise<void> {
  const { before, card } = keeping
  const outcome = await kept(deps, caller, keeping, action)
  if (outcome === 'begun' || outcome === 'done') return
  const now = await deps.cards.get(card.agentId)
  const isOvertaken = outcome === 'overtaken' || now?.version !== before?.version || now?.revision !== before?.revision
  refuse(
    isOvertaken ? 'card_version_stale' : 'conflict',
    isOvertaken ? 'somebody else has published meanwhile' : 'what the card stands on has ended meanwhile',
  )
}

async function kept(
  deps: PublishDeps,
  caller: Caller,
  { before, card, entry, also, on, isSecret = false }: Keeping,
  action: string,
): Promise<'begun' | 'done' | 'overtaken' | 'refused'> {
  const row = deps.audit.recording(
    auditRow(caller, action, { orgId: card.orgId, subject: card.agentId, facts: { version: card.version, state: card.verdict.state } }),
  )
  const ended = before && !before.unpublished ? endedBy(before, card) : []
  const beginning = {
    ...entryOf(ended, isSecret, deps.random),
    id: entry,
    dependsOn: [...on, ...identitiesOf(caller.dependencies.handles)],
    also: [...also, row],
  }
  if (!before) return (await deps.cards.begin(card, beginning)).outcome
  const { agentId: _, ...fields } = card
  const next = { ...fields, ...removedFrom(before, card) }
  if (isSecret && ended.length === 0) return deps.cards.amend(card.agentId, asRead(before), next, beginning.also)
  return (await deps.cards.change(card.agentId, asRead(before), next, beginning)).outcome
}

/**
 * What the public log may tell. That a card was published, which everybody sees, but not how many parts it has, so it names none of the
 * versions that it begins; and a change of hidden parts looks like that of any record, and cannot be tied to a card.
 */
function entryOf(ended: readonly Handle[], isSecret: boolean, random: Random): Pick<RecordBeginning, 'type' | 'begins' | 'ends'> {
  const ends = (isSecret && ended.length === 1 ? ended : padWithDecoys(ended, random)).map((handle) => ({ handle }))
  return isSecret ? { type: 'record.changed', begins: [newHandle(random, 'ver')], ends } : { type: 'card.published', begins: [], ends }
}

/** Fields that the card has no longer: the successor names them null. */
const removedFrom = (before: Card, card: Card): Record<string, null> =>
  Object.fromEntries(
    Object.keys(before)
      .filter((name) => !(name in card) && !INTERNAL.has(name))
      .map((name) => [name, null]),
  )

const INTERNAL: ReadonlySet<string> = new Set(['hidden', 'nextEntry', 'next', 'agentId'])
