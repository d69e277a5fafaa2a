import { doneBy } from '../audit/done-by.js'
import { refuse } from '../errors.js'
import { type Handle, identitiesOf } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import type { Operation } from '../storage/storage.js'
import type { Caller } from '../transport/caller.js'
import type { PublishDeps } from './authority.js'
import { versionsOf, versionsOnlyIn } from './card.js'
import type { Card } from './store.js'

/** Remembers a content under the entry that publishes it. One that another has followed is refused: a signature does not expire. */
export async function keepingContent(
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
}

/** Begins the card, or changes it: of two racing publishers one wins. */
export async function keepCard(
  deps: PublishDeps,
  caller: Caller,
  { before, card, entry, also, on }: Keeping,
  action: string,
): Promise<void> {
  const begins = before && !before.unpublished ? versionsOnlyIn(card, before) : versionsOf(card)
  const ends = (before && !before.unpublished ? versionsOnlyIn(before, card) : []).map((handle) => ({ handle }))
  const beginning = {
    id: entry,
    type: 'card.published' as const,
    begins,
    ends,
    on: [...on, ...identitiesOf(caller.ground.on)],
    also: [
      ...also,
      deps.audit.recording(
        doneBy(caller, action, { orgId: card.orgId, subject: card.agentId, facts: { version: card.version, state: card.verdict.state } }),
      ),
    ],
  }
  const removed = before
    ? Object.fromEntries(
        Object.keys(before)
          .filter((name) => !(name in card) && !INTERNAL.has(name))
          .map((name) => [name, null]),
      )
    : {}
  const { agentId: _, ...fields } = card
  const { outcome } = before
    ? await deps.cards.change(
        card.agentId,
        { version: before.version, revision: before.revision, c0Sha256: before.c0Sha256 },
        { ...fields, ...removed },
        beginning,
      )
    : await deps.cards.begin(card, beginning)
  if (outcome === 'begun') return
  const now = await deps.cards.get(card.agentId)
  const isOvertaken = outcome === 'exists' || now?.version !== before?.version || now?.revision !== before?.revision
  refuse(
    isOvertaken ? 'card_version_stale' : 'conflict',
    isOvertaken ? 'somebody else has published meanwhile' : 'what the card stands on has ended meanwhile',
  )
}

const INTERNAL: ReadonlySet<string> = new Set(['hidden', 'nextEntry', 'next', 'agentId'])
