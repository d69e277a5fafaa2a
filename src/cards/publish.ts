import { type FindAgentDeps, findContact } from '../agents/find.js'
import type { Audit } from '../audit/audit.js'
import { cardDigest } from '../credentials/card-credential.js'
import { digestOfText } from '../credentials/digest.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import { type CardModel, readCardJson } from '../protocol/card-model.js'
import type { Verdict } from '../protocol/card-view.js'
import { identitiesOf } from '../protocol/handles.js'
import type { AgentId, OrgId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Operation, Storage } from '../storage/storage.js'
import { actsFor, type Caller } from '../transport/caller.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { endpointOf, partsOf, scopesOf, versionsOf, versionsOnlyIn } from './card.js'
import { type CheckDeps, type CheckedCredential, requireCredential, requireSignedCard } from './check.js'
import type { Card, CardsStore } from './store.js'

export interface PublishDeps extends CheckDeps, FindAgentDeps {
  readonly cards: CardsStore
  readonly storage: Storage
  readonly trustLog: TrustLog
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
  const version = isSame ? before.version : (before?.version ?? 0) + 1
  const { sdJwt, releasePolicy } = input
  const hiding =
    sdJwt === undefined ? undefined : await requireCredential(deps, checked, { agentId: input.agentId, sdJwt, releasePolicy }, now)
  if (isSame && (sdJwt === before.sdJwt || (sdJwt === undefined && before.c0 === input.c0))) return publishedOf(before)
  requireNext(before, version, isSame, hiding)
  const whole: CardModel = hiding ? (readCardJson(hiding.credential.card).model ?? checked.model) : checked.model
  const parts = partsOf(whole, before?.unpublished ? undefined : before, deps.random)
  const card: Card = {
    agentId: input.agentId,
    orgId: publisher.orgId,
    version,
    revision: isSame ? before.revision + 1 : 0,
    // C0, its bytes and ETag stay as they were where only hidden parts change.
    ...(isSame ? { c0: before.c0, c0Sha256: before.c0Sha256 } : { c0: input.c0, c0Sha256: digestOfText(input.c0) }),
    cardSha256,
    ...(sdJwt !== undefined && { sdJwt }),
    ...(releasePolicy !== undefined && { releasePolicy }),
    releaseNumber: hiding?.releaseNumber ?? before?.releaseNumber ?? 0,
    verdict: checked.verdict,
    signer: { enrolmentId: checked.signer.id, handle: checked.signer.handle, owner: checked.signer.owner },
    ...parts,
    ...(endpointOf(checked.model) !== undefined && { endpoint: endpointOf(checked.model) }),
    scopes: scopesOf(checked.model),
    allScopes: scopesOf(whole),
    publishedAt: isSame ? before.publishedAt : now,
    ...(hiding && { expiresAt: hiding.credential.claims.exp }),
  }
  const also = isSame
    ? []
    : [deps.cards.versions.inserting({ id: `${input.agentId} ${cardSha256}`, agentId: input.agentId, version, at: now })]
  await keepCard(deps, caller, { before, card, also, on: [...publisher.on, checked.signer.handle] }, 'cards.publish')
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

/** Versions rise by one and never change; the number of the release policy rises too. */
function requireNext(before: Card | undefined, version: number, isSame: boolean, hiding: CheckedCredential | undefined): void {
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
  if (isSame && hiding === undefined) refuse('card_version_immutable', 'this version was published with hidden parts: publish them with it')
}

interface Keeping {
  readonly before: Card | undefined
  readonly card: Card
  readonly also: readonly Operation[]
  readonly on: readonly Card['core']['ver'][]
}

/** Begins the card, or changes it: of two racing publishers one wins. */
export async function keepCard(deps: PublishDeps, caller: Caller, { before, card, also, on }: Keeping, action: string): Promise<void> {
  const begins = before && !before.unpublished ? versionsOnlyIn(card, before) : versionsOf(card)
  const ends = (before && !before.unpublished ? versionsOnlyIn(before, card) : []).map((handle) => ({ handle }))
  const beginning = {
    type: 'card.published' as const,
    begins,
    ends,
    on: [...on, ...identitiesOf(caller.ground.on)],
    also: [
      ...also,
      deps.audit.recording({
        orgId: card.orgId,
        actor: caller.id,
        action,
        outcome: 'done',
        subject: card.agentId,
        tokenId: caller.tokenId,
        facts: { version: card.version, state: card.verdict.state },
      }),
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
  if (outcome === 'exists') refuse('card_version_stale', 'somebody else has published meanwhile, or this content was published before')
  if (outcome === 'refused') refuse('conflict', 'what the card stands on has ended meanwhile')
}

const INTERNAL: ReadonlySet<string> = new Set(['hidden', 'nextEntry', 'next', 'agentId'])

const publishedOf = ({ agentId, version, c0Sha256, verdict }: Card): Published => ({ agentId, version, etag: `"${c0Sha256}"`, verdict })
