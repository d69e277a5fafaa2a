import { type FindAgentDeps, findContact } from '../agents/find.js'
import type { Audit } from '../audit/audit.js'
import { cardDigest } from '../credentials/card-credential.js'
import { digestOfText } from '../credentials/digest.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import { type CardModel, readCardJson } from '../protocol/card-model.js'
import type { Verdict } from '../protocol/card-view.js'
import { type Handle, identitiesOf, newHandle } from '../protocol/handles.js'
import { type AgentId, type EntryId, newId, type OrgId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Operation, Storage } from '../storage/storage.js'
import { actsFor, type Caller } from '../transport/caller.js'
import type { Beginnings } from '../trust-log/records.js'
import type { LogFeed, TrustLog } from '../trust-log/trust-log.js'
import { endedBy, endpointOf, padded, partsBefore, partsOf, scopesOf } from './card.js'
import { type CheckDeps, type CheckedCredential, requireCredential, requireSignedCard } from './check.js'
import type { Card, CardsStore } from './store.js'

export interface PublishDeps extends CheckDeps, FindAgentDeps {
  readonly cards: CardsStore
  readonly storage: Storage
  readonly trustLog: TrustLog & Pick<LogFeed, 'find'>
  readonly random: Random
  readonly audit: Audit
}

export interface PublishInput {
  readonly agentId: AgentId
  readonly c0: string
  readonly sdJwt?: string | undefined
  readonly releasePolicy?: string | undefined
}

export interface Published {
  readonly agentId: AgentId
  readonly version: number
  /** Strong ETag of the public card. */
  readonly etag: string
  readonly verdict: Verdict
}

/** Publishes a card, or its next version. What callers rely on ends only where it changed. */
export async function publishCard(deps: PublishDeps, caller: Caller, input: PublishInput): Promise<Published> {
  const { now } = await deps.trustLog.fence()
  const publisher = await requirePublisher(deps, caller, input.agentId)
  const checked = await requireSignedCard(deps, { orgId: publisher.orgId, agentId: input.agentId }, input.c0, now)
  const before = await deps.cards.get(input.agentId)
  const cardSha256 = cardDigest(checked.json)
  const isSame = before?.cardSha256 === cardSha256 && !before.unpublished
  // C0, its bytes and ETag stay as they were where the same key signs the same again: then only hidden parts change.
  const keepsBytes = isSame && before.signer?.enrolmentId === checked.signer.id
  const version = isSame ? before.version : (before?.version ?? 0) + 1
  const { sdJwt, releasePolicy } = input
  const hiding =
    sdJwt === undefined ? undefined : await requireCredential(deps, checked, { agentId: input.agentId, sdJwt, releasePolicy }, now)
  if (keepsBytes && sdJwt === before.sdJwt && releasePolicy === before.releasePolicy) return publishedOf(before)
  requireNext(before, version, hiding)
  const whole = hiding ? requireWhole(hiding) : checked.model
  const parts = partsOf(whole, partsBefore(before, true), deps.random)
  const card: Card = {
    agentId: input.agentId,
    orgId: publisher.orgId,
    version,
    revision: isSame ? before.revision + 1 : 0,
    ...(keepsBytes ? { c0: before.c0, c0Sha256: before.c0Sha256 } : { c0: input.c0, c0Sha256: digestOfText(input.c0) }),
    cardSha256,
    ...(sdJwt !== undefined && { sdJwt }),
    ...(releasePolicy !== undefined && { releasePolicy }),
    releaseNumber: Math.max(before?.releaseNumber ?? 0, hiding?.releaseNumber ?? 0),
    // Nor does a stranger see when they were checked again.
    verdict: keepsBytes ? before.verdict : checked.verdict,
    signer: { enrolmentId: checked.signer.id, handle: checked.signer.handle, owner: checked.signer.owner },
    ...parts,
    ...(endpointOf(checked.model) !== undefined && { endpoint: endpointOf(checked.model) }),
    scopes: scopesOf(checked.model),
    allScopes: scopesOf(whole),
    publishedAt: isSame ? before.publishedAt : now,
    ...(hiding && { expiresAt: hiding.credential.claims.exp }),
  }
  const entry = newId(deps.random, 'ent')
  const also = await keepingContent(deps, before, { card, entry, at: now })
  const on = [...publisher.on, checked.signer.handle]
  await keepCard(deps, caller, { before, card, entry, also, on, isSecret: keepsBytes }, 'cards.publish')
  return publishedOf(card)
}

/** The agent itself, or the people of its organisation; the agent and organisation stand. */
export async function requirePublisher(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
): Promise<{ orgId: OrgId; on: readonly Card['core']['ver'][] }> {
  const contact = await findContact(deps, agentId)
  const isOwn = contact !== undefined && (caller.id === agentId || actsFor(caller, contact.orgId))
  if (!isOwn || !stands(deps.trustLog.ended, contact.ground.on)) return refuse('not_found', 'no such agent')
  return { orgId: contact.orgId, on: contact.ground.on }
}

function requireWhole({ credential }: CheckedCredential): CardModel {
  const { model, faults } = readCardJson(credential.card)
  return model ?? refuse('card_invalid', 'the card with its hidden parts does not fit A2A', { faults })
}

/** Versions rise by one and never change; the number of the release policy rises too. */
function requireNext(before: Card | undefined, version: number, hiding: CheckedCredential | undefined): void {
  const claimed = hiding?.credential.claims.card_version
  if (claimed !== undefined && claimed !== version) {
    const reason = claimed === before?.version ? 'card_version_immutable' : 'card_version_stale'
    refuse(reason, `card_version is ${claimed}; the next version is ${version}`, {
      faults: [{ pointer: '/card_version', hint: `sign version ${version}` }],
    })
  }
  const last = before?.releaseNumber ?? 0
  if (hiding && hiding.credential.disclosures.length > 0 && hiding.releaseNumber <= last)
    refuse('release_policy_stale', 'the number of the release policy does not rise', {
      faults: [{ pointer: '/number', hint: `more than ${last}` }],
    })
}

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
  readonly on: readonly Card['core']['ver'][]
  /** Only hidden parts change: nothing that anybody may read says so. */
  readonly isSecret?: boolean
}

/** Begins the card, or changes it: of two racing publishers one wins. */
export async function keepCard(deps: PublishDeps, caller: Caller, keeping: Keeping, action: string): Promise<void> {
  const { before, card } = keeping
  const outcome = await kept(deps, caller, keeping, action)
  if (outcome === 'begun' || outcome === 'done') return
  const now = await deps.cards.get(card.agentId)
  const isOvertaken = outcome === 'exists' || now?.version !== before?.version || now?.revision !== before?.revision
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
): Promise<'begun' | 'done' | 'exists' | 'refused'> {
  const row = deps.audit.recording({
    orgId: card.orgId,
    actor: caller.id,
    action,
    outcome: 'done',
    subject: card.agentId,
    tokenId: caller.tokenId,
    facts: { version: card.version, state: card.verdict.state },
  })
  const ended = before && !before.unpublished ? endedBy(before, card) : []
  const beginning = {
    ...entryOf(ended, isSecret, deps.random),
    id: entry,
    on: [...on, ...identitiesOf(caller.ground.on)],
    also: [...also, row],
  }
  if (!before) return (await deps.cards.begin(card, beginning)).outcome
  const { agentId: _, ...fields } = card
  const next = { ...fields, ...removedFrom(before, card) }
  const guard = { version: before.version, revision: before.revision, c0Sha256: before.c0Sha256 }
  if (isSecret && ended.length === 0) return deps.cards.amend(card.agentId, guard, next, beginning.also)
  return (await deps.cards.change(card.agentId, guard, next, beginning)).outcome
}

/**
 * What the public log may tell. That a card was published, which everybody sees, but not how many parts it has, so it names none of the
 * versions that it begins; and a change of hidden parts looks like that of any record, and cannot be tied to a card.
 */
function entryOf(ended: readonly Handle[], isSecret: boolean, random: Random): Pick<Beginnings, 'type' | 'begins' | 'ends'> {
  const ends = (isSecret && ended.length === 1 ? ended : padded(ended, random)).map((handle) => ({ handle }))
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

const publishedOf = ({ agentId, version, c0Sha256, verdict }: Card): Published => ({ agentId, version, etag: `"${c0Sha256}"`, verdict })
