import { type VerifiedCard, verifyCardViewBundle } from '../credentials/agent-card/card-view.js'
import { presentCard, verifyCardPresentation } from '../credentials/agent-card/present-card.js'
import { signAndSplit } from '../credentials/agent-card/sign-card.js'
import type { Signer } from '../credentials/jose/sign.js'
import type { JsonObject, JsonValue } from '../lib/json.js'
import type { CardView, Verdict } from '../protocol/cards/card-view.js'
import type { Tier } from '../protocol/cards/release-policy.js'
import type { Handle } from '../protocol/handles.js'
import { AgentId, type OrgId } from '../protocol/ids.js'
import type { Calls } from './call.js'
import type { Pins } from './pins.js'
import type { TokenDeps } from './tokens.js'

export interface PublishOptions {
  readonly card: JsonObject
  /** Whose card; default: this agent's own. */
  readonly agentId?: string
  /** JSON Pointers of what not everybody may see, such as `/skills/1`. */
  readonly hide?: readonly string[]
  /** Tier of a hidden part; `defaultTier` (introduced) for the others. */
  readonly tiers?: Readonly<Record<string, Tier>>
  readonly defaultTier?: Tier
  /** Life of the signed card; 30 days, at most 90. */
  readonly seconds?: number
  /** Public key of the agent that will show private parts itself; default: this client's, where the card is its own. */
  readonly holder?: Readonly<Record<string, unknown>>
}

export interface Published {
  readonly agentId: AgentId
  readonly version: number
  readonly etag: string
  readonly verdict: Verdict
  /** Where parts are private: the card with them. Keep it: the registry does not have it, and the agent presents from it. */
  readonly ownSdJwt?: string
}

export interface Presenting {
  /** As `publish` gave it. */
  readonly ownSdJwt: string
  /** Which hidden parts to show; absent: all. A part that stands inside another is shown only with it. */
  readonly show?: (part: { readonly value: JsonValue; readonly pointer: string }) => boolean
  /** Client id of whom it is for, and the nonce that they sent. */
  readonly audience: string
  readonly nonce: string
}

export interface Cards {
  /** Signs, splits and publishes a card in one call. */
  publish(options: PublishOptions): Promise<Published>
  /** The card as this client may see it, verified back to its publisher. */
  card(agentId: string): Promise<VerifiedCard>
  /** The card's own view as it came, unverified. */
  cardView(agentId: string): Promise<CardView>
  /** What this agent itself shows of its card, private parts too: for one client, bound by its key (RFC 9901 §4.3). */
  present(presenting: Presenting): Promise<string>
  /** The card of an agent with what the agent itself presented to this client, verified back to its publisher. The nonce is used once by whoever made it. */
  verifyPresentation(agentId: string, presentation: string, nonce: string): Promise<VerifiedCard>
}

export interface CardsDeps extends TokenDeps {
  /** Signs cards for the organisation; absent: this agent signs its own. */
  readonly publisher?: Signer | undefined
  readonly pins: Pins
  /** What is known to have ended. */
  readonly ended: () => { has(handle: Handle): boolean } | undefined
}

interface Next {
  readonly version: number
  readonly published: number
  readonly cardSha256?: string
  readonly releaseNumber: number
  readonly orgId: OrgId
  readonly sub: string
  readonly vct: string
}

const DEFAULT_SECONDS = 30 * 86_400

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
    publish: async ({
      card,
      agentId = deps.clientId,
      hide = [],
      tiers = {},
      defaultTier = 'introduced',
      seconds = DEFAULT_SECONDS,
      ...of
    }) => {
      const id = AgentId.parse(agentId)
      const holder = of.holder ?? (id === deps.clientId ? deps.signer.publicJwk : undefined)
      const next = await calls.query<Next>('cards.next', { agentId: id })
      const signer = deps.publisher ?? deps.signer
      const split = async (version: number) =>
        signAndSplit(
          {
            card,
            hide,
            tiers,
            defaultTier,
            iss: deps.publisher ? next.orgId : id,
            sub: next.sub,
            vct: next.vct,
            agentId: id,
            version,
            releaseNumber: next.releaseNumber,
            seconds,
            holder,
          },
          { signer, random: deps.random, now: deps.clock.now() },
        )
      const made = await split(next.version)
      // Where the public card stays as it is, the change is a revision of the published version.
      const isRevision = next.published > 0 && made.cardSha256 === next.cardSha256
      const { c0, sdJwt, releasePolicy, ownSdJwt } = isRevision ? await split(next.published) : made
      const published = await calls.mutate<Published>('cards.publish', {
        agentId: id,
        c0,
        ...(sdJwt !== undefined && { sdJwt }),
        ...(releasePolicy !== undefined && { releasePolicy }),
      })
      return { ...published, ...(ownSdJwt !== undefined && { ownSdJwt }) }
    },
    card,
    cardView,
    present: ({ ownSdJwt, show, audience, nonce }) =>
      presentCard({ ownSdJwt, show }, { audience, nonce, now: deps.clock.now() }, deps.signer),
    verifyPresentation: async (agentId, presentation, nonce) =>
      verifyCardPresentation(await card(agentId), presentation, {
        issuer: deps.issuer,
        now: deps.clock.now(),
        keyBinding: { audience: deps.clientId, nonce, now: deps.clock.now() },
      }),
  }
}
