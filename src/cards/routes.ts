import { z } from 'zod'
import { findContact } from '../agents/find.js'
import { cardType } from '../credentials/card-credential.js'
import { MAX_SD_JWT_BYTES } from '../credentials/sd-jwt.js'
import { MAX_RELEASE_POLICY_BYTES } from '../credentials/verify-for.js'
import { MAX_CARD_BYTES } from '../protocol/card-model.js'
import { AgentId, audienceOf } from '../protocol/ids.js'
import { openProcedure, procedureFor, router } from '../transport/trpc.js'
import { type GetCardDeps, getCard } from './get.js'
import { importCard } from './import.js'
import { type PublishDeps, publishCard, requirePublisher } from './publish.js'
import { renewCard } from './renew.js'
import { unpublishCard } from './unpublish.js'

const ById = z.strictObject({ agentId: AgentId })
const SdJwt = z.string().min(1).max(MAX_SD_JWT_BYTES)
const Policy = z.string().min(1).max(MAX_RELEASE_POLICY_BYTES)

export const cardsRoutes = (deps: PublishDeps & GetCardDeps) =>
  router({
    /** What the next version of a card must say. */
    next: procedureFor('cards:write')
      .input(ById)
      .query(async ({ ctx, input: { agentId } }) => {
        await deps.trustLog.fence()
        await requirePublisher(deps, ctx.caller, agentId)
        const [card, contact] = await Promise.all([deps.cards.get(agentId), findContact(deps, agentId)])
        return {
          version: (card?.version ?? 0) + 1,
          published: card && !card.unpublished ? card.version : 0,
          cardSha256: card?.cardSha256,
          releaseNumber: (card?.releaseNumber ?? 0) + 1,
          orgId: contact?.orgId,
          sub: audienceOf(deps.issuer, agentId),
          vct: cardType(deps.issuer),
        }
      }),
    publish: procedureFor('cards:write')
      .input(ById.extend({ c0: z.string().min(2).max(MAX_CARD_BYTES), sdJwt: SdJwt.optional(), releasePolicy: Policy.optional() }))
      .mutation(({ ctx, input }) => publishCard(deps, ctx.caller, input)),
    renew: procedureFor('cards:write')
      .input(ById.extend({ sdJwt: SdJwt, releasePolicy: Policy.optional() }))
      .mutation(({ ctx, input }) => renewCard(deps, ctx.caller, input)),
    import: procedureFor('cards:write')
      .input(ById.extend({ card: z.string().min(1).max(MAX_CARD_BYTES) }))
      .mutation(({ ctx, input }) => importCard(deps, ctx.caller, input.agentId, input.card)),
    get: openProcedure.input(ById).query(async ({ ctx, input }) => getCard(deps, await ctx.findCaller(), input.agentId)),
    unpublish: procedureFor('cards:write')
      .input(ById)
      .mutation(({ ctx, input }) => unpublishCard(deps, ctx.caller, input.agentId)),
  })
