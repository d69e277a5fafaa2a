import { z } from 'zod'
import { MAX_RELEASE_POLICY_BYTES } from '../../credentials/jose/token-types.js'
import { MAX_SD_JWT_BYTES } from '../../credentials/sd-jwt/verify.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { PageInput } from '../../http/paging.js'
import { creationFor, procedureFor, publicProcedure, router } from '../../http/trpc/procedures.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import type { CardDiff } from '../../protocol/cards/card-versions.js'
import type { Freshness } from '../../protocol/cards/card-view.js'
import { EndNote, REVOCATION_INPUT } from '../../protocol/end-reason.js'
import { AgentId } from '../../protocol/ids.js'
import type { PublishDeps } from './authority.js'
import { checkFreshness, type FreshnessDeps } from './freshness/check.js'
import { type GetCardDeps, getCard, PREVIEWED } from './get.js'
import type { CardSource } from './import/card-text.js'
import { type CardImported, type ImportDeps, importCard } from './import/import.js'
import { type CardDeprecated, deprecateCard, undeprecateCard } from './life/deprecate.js'
import { diffCards } from './life/diff.js'
import { type CardHistory, cardHistory } from './life/history.js'
import { yankVersion } from './life/yank.js'
import { type CardLinted, lintCard } from './lint/lint.js'
import { type NextCard, nextCard } from './next.js'
import { type CardPublished, publishCard } from './publish.js'
import { renewCard } from './renew.js'
import { unpublishCard } from './unpublish.js'

const ById = z.strictObject({ agentId: AgentId })
const AsTier = z.enum(PREVIEWED).describe('See the card as such a caller does. No caller gets a higher tier than its own.')
const PUBLIC_NOTE = 'Shown to everyone who reads the card or its history, and kept in the audit row: it must not contain personal data.'
const Version = z.int().min(1)
const SdJwt = z.string().min(1).max(MAX_SD_JWT_BYTES)
const Policy = z.string().min(1).max(MAX_RELEASE_POLICY_BYTES)

const Url = z.string().min(1).max(2048)
const SOURCES = ['card', 'url', 'catalog'] as const
const ImportInput = ById.extend({
  card: z.string().min(1).max(MAX_CARD_BYTES).optional(),
  url: Url.optional(),
  catalog: Url.optional(),
  entry: Url.optional(),
})
  .refine((input) => SOURCES.filter((name) => input[name] !== undefined).length === 1, 'expected exactly one of card, url and catalog')
  .refine(({ catalog, entry }) => entry === undefined || catalog !== undefined, {
    path: ['entry'],
    message: 'has no effect without catalog',
  })

function sourceOf({ card, url, catalog = '', entry }: Partial<Record<(typeof SOURCES)[number] | 'entry', string | undefined>>): CardSource {
  if (card !== undefined) return { card }
  return url !== undefined ? { url } : { catalog, entry }
}

const MAX_LINTED_FAULTS = 256

interface RateDeps {
  readonly rateLimits: Pick<RateLimits, 'lint' | 'diff'>
}

export const cardsRoutes = (deps: PublishDeps & ImportDeps & GetCardDeps & RateDeps & FreshnessDeps) =>
  router({
    next: procedureFor('cards:write')
      .input(ById)
      .query(({ ctx, input }): Promise<NextCard> => nextCard(deps, ctx.caller, input.agentId)),
    publish: creationFor('cards:write')
      .meta({ isLarge: true })
      .input(ById.extend({ publicCard: z.string().min(2).max(MAX_CARD_BYTES), sdJwt: SdJwt.optional(), releasePolicy: Policy.optional() }))
      .mutation(({ ctx, input }): Promise<CardPublished> => publishCard(deps, ctx.caller, input)),
    renew: creationFor('cards:write')
      .meta({ isLarge: true })
      .input(ById.extend({ sdJwt: SdJwt, releasePolicy: Policy.optional() }))
      .mutation(({ ctx, input }) => renewCard(deps, ctx.caller, input)),
    import: creationFor('cards:write')
      .meta({ isLarge: true })
      .input(ImportInput)
      .mutation(({ ctx, input }): Promise<CardImported> => importCard(deps, ctx.caller, input.agentId, sourceOf(input))),
    lint: publicProcedure
      .input(z.strictObject({ card: z.string().min(1).max(MAX_CARD_BYTES) }))
      .query(async ({ ctx, input }): Promise<CardLinted> => {
        const refusal = deps.rateLimits.lint.take(addressPrefix(ctx.address))
        if (refusal) throw refusal
        return lintCard(input.card, { dev: deps.dev, maxFaults: MAX_LINTED_FAULTS })
      }),
    checkFreshness: procedureFor('cards:write')
      .input(ById)
      .mutation(({ ctx, input }): Promise<Freshness> => checkFreshness(deps, ctx.caller, input.agentId)),
    get: publicProcedure
      .input(ById.extend({ as: AsTier.optional() }))
      .query(async ({ ctx, input }) => getCard(deps, await ctx.findCaller(), input.agentId, input.as)),
    history: publicProcedure
      .input(PageInput.extend(ById.shape))
      .query(async ({ ctx, input }): Promise<CardHistory> => cardHistory(deps, await ctx.findCaller(), input)),
    diff: publicProcedure.input(ById.extend({ from: Version, to: Version.optional() })).query(async ({ ctx, input }): Promise<CardDiff> => {
      const caller = await ctx.findCaller()
      const refusal = deps.rateLimits.diff.take(caller?.id ?? addressPrefix(ctx.address))
      if (refusal) throw refusal
      return diffCards(deps, caller, input)
    }),
    deprecate: procedureFor('cards:write')
      .input(ById.extend({ successor: AgentId.optional(), note: EndNote.describe(PUBLIC_NOTE).optional() }))
      .mutation(({ ctx, input }): Promise<CardDeprecated> => deprecateCard(deps, ctx.caller, input)),
    undeprecate: procedureFor('cards:write')
      .input(ById)
      .mutation(({ ctx, input }): Promise<CardDeprecated> => undeprecateCard(deps, ctx.caller, input.agentId)),
    yank: procedureFor('cards:write')
      .input(ById.extend({ version: Version, ...REVOCATION_INPUT, note: EndNote.describe(PUBLIC_NOTE).optional() }))
      .mutation(({ ctx, input: { reason, note, ...input } }) => yankVersion(deps, ctx.caller, input, { reason, note })),
    unpublish: procedureFor('cards:write')
      .input(ById.extend(REVOCATION_INPUT))
      .mutation(({ ctx, input: { agentId, ...because } }) => unpublishCard(deps, ctx.caller, agentId, because)),
  })
