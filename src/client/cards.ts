import { z } from 'zod'
import { type VerifiedCard, verifyCardViewBundle } from '../credentials/agent-card/card-view.js'
import { presentCard, verifyCardPresentation } from '../credentials/agent-card/present-card.js'
import { preparePublication } from '../credentials/agent-card/sign-card.js'
import type { Signer } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../lib/json.js'
import type { CardDiff, CardVersion } from '../protocol/cards/card-versions.js'
import type { CardView, Verdict } from '../protocol/cards/card-view.js'
import { Tier } from '../protocol/cards/release-policy.js'
import { REVOCATION_INPUT, type RevocationReason } from '../protocol/end-reason.js'
import type { Handle } from '../protocol/handles.js'
import { AgentId, type OrgId } from '../protocol/ids.js'
import { faultsOf, textOfIssues } from '../protocol/input-faults.js'
import { issuerUrlOf } from '../protocol/key-statement.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import type { Calls } from './call.js'
import type { Pins } from './pins.js'
import { PAGE_OPTIONS, type PageOptions } from './tasks.js'
import type { TokenDeps } from './tokens.js'

export interface PublishOptions {
  /** Signatures that the card has are kept, if no part is hidden. */
  readonly card: JsonObject
  /** The agent that the card describes. Default: this client. */
  readonly agentId?: string
  /** JSON Pointers of the parts that are not public, such as `/skills/1`. */
  readonly hide?: readonly string[]
  /** Tier of each non-public part, by its pointer, which must be in `hide`. Default: `defaultTier`, which is `introduced`. */
  readonly tiers?: Readonly<Record<string, Tier>>
  readonly defaultTier?: Tier
  /** Lifetime of the signed card in seconds. Default: 30 days; at most 90 days. */
  readonly seconds?: number
  /** Public key of the agent that will present private parts. Default: this client's key, if the card is its own. */
  readonly holder?: Readonly<Record<string, unknown>>
}

export interface Published {
  readonly agentId: AgentId
  readonly version: number
  readonly etag: string
  readonly verdict: Verdict
  /** The canonical forms of the public card that a signature verifies: readers other than this library know one each. */
  readonly verifies: { readonly spec: boolean; readonly sdk: boolean; readonly raw: boolean }
  /** The complete card, if it has private parts. Store it, because the registry does not have it and `present` needs it. */
  readonly ownSdJwt?: string
}

export interface PresentOptions {
  /** The result of `publish`. */
  readonly ownSdJwt: string
  /** Chooses the non-public parts to disclose. Default: all. A nested part is disclosed only together with the part that contains it. */
  readonly show?: (part: { readonly value: JsonValue; readonly pointer: string }) => boolean
  /** The client id of the recipient, and the nonce that the recipient sent. */
  readonly audience: string
  readonly nonce: string
}

/** A misspelt `show` would disclose every part. */
const PRESENT_OPTIONS: OptionNames<PresentOptions> = { ownSdJwt: true, show: true, audience: true, nonce: true }

export interface DeprecateOptions {
  /** The agent that the card describes. Default: this client. */
  readonly agentId?: string
  /** The agent to call in its place. */
  readonly successor?: string
  /** Shown to everyone who reads the card. */
  readonly note?: string
}

const DEPRECATE_OPTIONS: OptionNames<DeprecateOptions> = { agentId: true, successor: true, note: true }

export interface YankOptions extends Partial<RevocationReason> {
  /** The agent that the card describes. Default: this client. */
  readonly agentId?: string
  readonly version: number
}

const YANK_OPTIONS: OptionNames<YankOptions> = { agentId: true, version: true, ...REVOCATION_INPUT }

export interface Cards {
  /** Signs a card, makes its non-public parts selectively disclosable, and publishes it. */
  publish(options: PublishOptions): Promise<Published>
  /** Reads the parts of a card that this client may see, and verifies them back to the publisher's signature. */
  card(agentId: string): Promise<VerifiedCard>
  /** Reads the card view as the registry sends it, without verifying it. */
  cardView(agentId: string): Promise<CardView>
  /** The versions of a public card, newest first: the current one and at most 100 earlier ones. */
  cardHistory(agentId: string, options?: PageOptions): Promise<{ readonly items: readonly CardVersion[]; readonly cursor?: string }>
  /** The changes for a caller from version `from` of a public card to version `to` (default: the current one). */
  cardDiff(agentId: string, from: number, to?: number): Promise<CardDiff>
  /** Advises callers against the current version of a card. Nothing ends; the next version is not deprecated. */
  deprecate(options?: DeprecateOptions): Promise<{ readonly version: number }>
  /** Withdraws a version of a card; introductions that were approved for it need another approval. Everyone sees the reason and the note. */
  yank(options: YankOptions): Promise<{ readonly position: string }>
  /** Presents this agent's own card, including private parts, to one client, with a key binding (RFC 9901 §4.3). */
  present(options: PresentOptions): Promise<string>
  /**
   * Returns the card with the parts that the agent presented to this client, verified back to the publisher's signature. The caller must
   * have created the nonce for this presentation and must not use it again.
   */
  verifyPresentation(agentId: string, presentation: string, nonce: string): Promise<VerifiedCard>
}

interface CardsDeps extends TokenDeps {
  /** Signs cards for the organisation. Default: the client signs them itself. */
  readonly publisher?: Signer | undefined
  readonly pins: Pins
  /** The ended set of the feed, if the client is subscribed. */
  readonly ended: () => { has(handle: Handle): boolean } | undefined
}

interface NextVersion {
  readonly version: number
  readonly published: number
  readonly cardSha256?: string
  readonly releaseNumber: number
  readonly orgId: OrgId
  readonly sub: string
  readonly vct: string
}

const DEFAULT_SECONDS = 30 * 86_400

/** A misspelt option could make a part public. */
const PublishInput = z.object({
  card: z.custom<JsonObject>(isJsonObject, 'must be a JSON object'),
  agentId: AgentId.optional(),
  hide: z.array(z.string()).default([]),
  tiers: z.record(z.string(), Tier).default({}),
  defaultTier: Tier.optional(),
  seconds: z.int().min(1).default(DEFAULT_SECONDS),
  holder: z.record(z.string(), z.unknown()).optional(),
})

function readPublishOptions(options: PublishOptions) {
  requireOptions('publish', options, PublishInput.shape)
  const parsed = PublishInput.safeParse(options)
  if (!parsed.success) return refuse('bad_input', textOfIssues(parsed.error.issues), { faults: faultsOf(parsed.error.issues) })
  const { defaultTier, hide } = parsed.data
  if (defaultTier !== undefined && hide.length === 0)
    refuse('release_policy_invalid', '`defaultTier` has no effect, because `hide` names no part: the whole card would be public')
  // zod drops a member named __proto__, so the tiers are those of the input
  return { ...parsed.data, tiers: options.tiers ?? {}, defaultTier: defaultTier ?? 'introduced' }
}

export function newCards(deps: CardsDeps, calls: Calls): Cards {
  const cardView = (agentId: string) => calls.query<CardView>('cards.get', { agentId })
  const card = async (agentId: string): Promise<VerifiedCard> => {
    const [view, pinned] = await Promise.all([cardView(agentId), deps.pins.current()])
    const ended = deps.ended()
    const verify = (keys: typeof pinned) =>
      verifyCardViewBundle(view, { issuer: deps.issuer, keys }, { audience: deps.clientId, now: deps.clock.now(), ...(ended && { ended }) })
    try {
      return await verify(pinned)
    } catch (error) {
      const renewed = await deps.pins.renewed()
      if (renewed === undefined) throw error
      return verify(renewed)
    }
  }
  return {
    publish: async (options) => {
      const { card, agentId, hide, tiers, defaultTier, seconds, holder } = readPublishOptions(options)
      const own = AgentId.safeParse(deps.clientId).data
      const id =
        agentId ??
        own ??
        refuse('bad_input', '`agentId` is required, because this client is not an agent', {
          faults: [{ pointer: '/agentId', hint: 'required' }],
        })
      const holderJwk = holder ?? (id === deps.clientId ? deps.signer.publicJwk : undefined)
      const next = await calls.query<NextVersion>('cards.next', { agentId: id })
      const signer = deps.publisher ?? deps.signer
      const prepare = async (version: number) =>
        preparePublication(
          {
            card,
            nonPublic: hide,
            tiers,
            defaultTier,
            iss: issuerUrlOf(deps.issuer, deps.publisher ? next.orgId : id),
            sub: next.sub,
            vct: next.vct,
            agentId: id,
            version,
            releaseNumber: next.releaseNumber,
            seconds,
            holder: holderJwk,
          },
          { signer, random: deps.random, now: deps.clock.now() },
        )
      const prepared = await prepare(next.version)
      // If the public card is unchanged, this publication is a revision of the published version.
      const isRevision = next.published > 0 && prepared.cardSha256 === next.cardSha256
      const { publicCard, sdJwt, releasePolicy, ownSdJwt } = isRevision ? await prepare(next.published) : prepared
      const published = await calls.mutate<Published>('cards.publish', {
        agentId: id,
        publicCard,
        ...(sdJwt !== undefined && { sdJwt }),
        ...(releasePolicy !== undefined && { releasePolicy }),
      })
      return { ...published, ...(ownSdJwt !== undefined && { ownSdJwt }) }
    },
    card,
    cardView,
    cardHistory: async (agentId, options = {}) => {
      requireOptions('cardHistory', options, PAGE_OPTIONS)
      return calls.query('cards.history', { ...options, agentId })
    },
    cardDiff: (agentId, from, to) => calls.query('cards.diff', { agentId, from, ...(to !== undefined && { to }) }),
    deprecate: async (options = {}) => {
      requireOptions('deprecate', options, DEPRECATE_OPTIONS)
      return calls.mutate('cards.deprecate', { agentId: deps.clientId, ...options })
    },
    yank: async (options) => {
      requireOptions('yank', options, YANK_OPTIONS)
      return calls.mutate('cards.yank', { agentId: deps.clientId, ...options })
    },
    present: async (options) => {
      requireOptions('present', options, PRESENT_OPTIONS)
      const { ownSdJwt, show, audience, nonce } = options
      return presentCard({ ownSdJwt, show }, { audience, nonce, now: deps.clock.now() }, deps.signer)
    },
    verifyPresentation: async (agentId, presentation, nonce) =>
      verifyCardPresentation(await card(agentId), presentation, {
        issuer: deps.issuer,
        now: deps.clock.now(),
        keyBinding: { audience: deps.clientId, nonce, now: deps.clock.now() },
      }),
  }
}
