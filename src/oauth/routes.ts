import { z } from 'zod'
import { type RateLimits, requireVerificationRate } from '../http/limits/rate-limit.js'
import { PageInput } from '../http/paging.js'
import { procedureFor, router } from '../http/trpc/procedures.js'
import { REVOCATION_INPUT } from '../protocol/end-reason.js'
import { AgentId, Audience, ClientId, ConsentId, IntroductionId, TaskId, TokenId } from '../protocol/ids.js'
import { MAX_CALLS, MAX_NAMES, MAX_SCOPE_LENGTH, Names, parseScope } from '../protocol/rights.js'
import { type LineageDeps, lineageOf } from './lineage.js'
import { type ListTokensDeps, listTokens } from './list.js'
import { type RevokeTokenDeps, revokeToken, TaskChain } from './revoke.js'
import { type SettleDeps, type Settlement, settleToken } from './settle.js'
import { type AgentRisk, type AgentRiskDeps, riskOfAgent } from './verification/agent-risk.js'
import { type VerifyDeps, verifyToken } from './verify.js'

/** `a b` (RFC 6749 §3.3). */
const ScopeText = z
  .string()
  .max(MAX_NAMES * (MAX_SCOPE_LENGTH + 1))
  .transform((text, context) => {
    const scopes = parseScope(text)
    if (scopes === undefined) context.addIssue({ code: 'custom', message: 'not a list of distinct scopes, separated by single spaces' })
    return scopes ?? z.NEVER
  })

/** Longer texts are no tokens either, and are refused before they are read. */
const TokenText = z.string().min(1).max(16_384)

const REVOKE_INPUT = z.strictObject({ ...REVOCATION_INPUT, affectedTaskChain: TaskChain.optional() })

const LIST_INPUT = PageInput.extend({ alive: z.boolean().default(false) })

export const tokensRoutes = (
  deps: LineageDeps &
    ListTokensDeps &
    RevokeTokenDeps &
    SettleDeps &
    AgentRiskDeps &
    VerifyDeps & { readonly rateLimits: Pick<RateLimits, 'verifications'> },
) =>
  router({
    lineage: procedureFor('tasks:write')
      .input(z.union([z.strictObject({ taskId: TaskId }), z.strictObject({ tokenId: TokenId })]))
      .query(({ ctx, input }) => lineageOf(deps, ctx.caller, input)),
    list: procedureFor('tasks:write')
      .input(
        z.union([
          LIST_INPUT.extend({ client: ClientId }),
          LIST_INPUT.extend({ task: TaskId }),
          LIST_INPUT.extend({ introduction: IntroductionId }),
          LIST_INPUT.extend({ consent: ConsentId }),
          LIST_INPUT.extend({ audience: Audience }),
        ]),
      )
      .query(({ ctx, input: { limit, cursor, alive, ...filter } }) => listTokens(deps, ctx.caller, filter, { limit, cursor, alive })),
    risk: procedureFor('tasks:write')
      .input(z.strictObject({ client: AgentId }))
      .query(({ ctx, input }): Promise<AgentRisk> => riskOfAgent(deps, ctx.caller, input.client)),
    // A mutation, because the query string of a request may be logged, and a token must not be
    verify: procedureFor('tasks:write')
      .input(
        z.strictObject({
          token: TokenText,
          scope: ScopeText.optional(),
          tool: Names.element.optional(),
          resource: Names.element.optional(),
          requiredTools: Names.default([]),
          taskId: TaskId.optional(),
          parentTaskId: TaskId.optional(),
          description: z.string().max(1024).optional(),
        }),
      )
      .mutation(({ ctx, input: { token, scope, ...call } }) => {
        requireVerificationRate(deps.rateLimits, ctx.caller)
        return verifyToken(deps, ctx.caller, token, { ...call, scopes: scope ?? [] })
      }),
    revoke: procedureFor('tasks:write')
      .input(z.union([REVOKE_INPUT.extend({ tokenId: TokenId }), REVOKE_INPUT.extend({ token: TokenText })]))
      .mutation(({ ctx, input: { reason, note, affectedTaskChain = [], ...named } }) =>
        revokeToken(deps, ctx.caller, named, affectedTaskChain, { reason, note }),
      ),
    settle: procedureFor('tasks:write')
      .input(
        z.strictObject({
          tokenId: TokenId,
          calls: z.int().min(0).max(MAX_CALLS),
          units: z.int().min(0).max(1_000_000_000).optional(),
        }),
      )
      .mutation(({ ctx, input }): Promise<Required<Settlement>> => settleToken(deps, ctx.caller, input)),
  })
