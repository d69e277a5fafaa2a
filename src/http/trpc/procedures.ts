import { initTRPC, type TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import { z } from 'zod'
import { isRefusal, REFUSALS, type Reason, Refusal, refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { countRefusal, type Metrics } from '../../lib/telemetry/metrics.js'
import { inSpan } from '../../lib/telemetry/tracing.js'
import { faultsOf, textOfIssues } from '../../protocol/input-faults.js'
import type { RegistryScope } from '../../protocol/rights.js'
import type { Caller, Role, TokenCaller } from '../caller.js'
import type { FailureLog } from '../handler/failure-log.js'

/** The context of every procedure. `contextOf` in server/server.ts creates one per HTTP request, or one per socket. */
export interface TrpcContext {
  readonly requestId: string
  /** The address of the sender, as in HttpRequest. */
  readonly address: string
  /** Authenticates the caller by token and proof, after a read barrier, once per request. Undefined without a token; a bad token is refused. */
  findCaller(): Promise<TokenCaller | undefined>
  /** Aborts when the caller is revoked, its token expires or the server closes; subscriptions end with it. */
  readonly revocationSignal: (caller: Caller, closed: AbortSignal) => AbortSignal
  /** Writes an audit row for a refusal of an authenticated caller. */
  onRefusal(caller: Caller, path: string, refusal: Refusal): Promise<void>
  /** Refuses the response of a request that took long if the caller was revoked meanwhile. */
  requireStillStanding(caller: Caller): Promise<void>
  /** Refuses a creation past the rate of the caller or of its organisation, or while the disk is nearly full. */
  requireCreationRate(caller: Caller): Promise<void>
  /** Logs a bug, once. */
  onBug(path: string, error: unknown): void
  /** Logs the error behind a refusal that is no fault of the caller. */
  readonly logFailure?: FailureLog | undefined
  /** Runs the call within the concurrency limit. Absent over HTTP, where the whole request is limited already. */
  readonly runLimited?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined
  readonly metrics?: Metrics | undefined
}

/** The requirements of a procedure on its caller, as docs/API.md and schemas/openapi.json show them. */
export interface ProcedureMeta {
  /** Scope that the root token must have (`any`: a root token suffices); absent for procedures that anonymous callers may use. */
  readonly scope?: RegistryScope | 'any'
  /** True if the input may be larger than other bodies. Such a body is parsed only after its caller was authenticated. */
  readonly isLarge?: boolean
  /** Roles that may call the procedure; absent if every role may. */
  readonly roles?: readonly Role[]
}

const t = initTRPC
  .context<TrpcContext>()
  .meta<ProcedureMeta>()
  .create({
    isDev: false,
    errorFormatter: ({ shape, error, ctx, path }) => {
      countRefusal(ctx?.metrics, isRefusal(error.cause) ? error.cause : refusalOf(error))
      if (!isRefusal(error.cause)) return { code: shape.code, ...errorShape(refusalOf(error), ctx?.requestId, path) }
      const code = TRPC_ERROR_CODES_BY_KEY[REFUSALS[error.cause.reason].trpc]
      return { code, ...errorShape(error.cause, ctx?.requestId, path) }
    },
  })

/** The wire format of a refused call. over-http.ts uses it too, for requests that it refuses before a call starts. */
export const errorShape = ({ reason, message, detail }: Refusal, requestId?: string, path?: string) => ({
  message,
  data: {
    code: REFUSALS[reason].trpc,
    httpStatus: REFUSALS[reason].http,
    path,
    reason,
    faults: detail.faults ?? [],
    retryAfterSeconds: detail.retryAfterSeconds,
    dpopNonce: detail.dpopNonce,
    requestId,
  },
})

export const router = t.router

/** A procedure that anonymous callers may use. `ctx.findCaller()` authenticates the caller if it sent a token. Logs bugs. */
export const publicProcedure = t.procedure.use(async ({ ctx, path, type, next }) => {
  const startedMs = systemClock.monotonicMs()
  const run = () => inSpan(`tRPC ${path}`, () => next())
  const result = await (ctx.runLimited ? ctx.runLimited(run) : run())
  const isBug = !result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && !isRefusal(result.error.cause)
  const isFailed = isBug || (!result.ok && isRefusal(result.error.cause) && result.error.cause.status >= 500)
  ctx.metrics?.calls.inc({ procedure: path, outcome: result.ok ? 'ok' : isFailed ? 'failed' : 'refused' })
  ctx.metrics?.callSeconds.observe({ procedure: path }, (systemClock.monotonicMs() - startedMs) / 1000)
  // A middleware does not see what a running subscription throws: over-websocket.ts logs those bugs
  if (isFailed && !isBug) ctx.logFailure?.(result.error.cause, { 'request.id': ctx.requestId, 'trpc.path': path })
  if (isBug && type !== 'subscription') ctx.onBug(path, result.error.cause ?? result.error)
  return result
})

/** A procedure for callers whose root token has `scope` (`any`: every root token) and whose role is one of `roles` (default: any role). The caller is `ctx.caller`. */
export const procedureFor = (scope: RegistryScope | 'any', roles?: readonly Role[]) =>
  publicProcedure.meta({ scope, ...(roles && { roles }) }).use(async ({ ctx, path, type, next }) => {
    const caller = await ctx.findCaller()
    if (!caller) refuse('invalid_token', 'this call needs a root token')
    if (scope !== 'any' && !caller.scopes.some((granted) => granted === scope)) {
      return refuseAndRecord(ctx, caller, path, new Refusal('insufficient_scope', `this call needs the scope ${scope}`))
    }
    if (roles && !roles.includes(caller.role))
      return refuseAndRecord(ctx, caller, path, new Refusal('forbidden', `the role ${caller.role} may not make this call`))
    const result = await next({ ctx: { caller } })
    // A mutation may end the caller itself, and an entry in the log depends on its caller
    if (result.ok && type === 'query') await ctx.requireStillStanding(caller)
    if (!result.ok && isRefusal(result.error.cause)) await ctx.onRefusal(caller, path, result.error.cause)
    return result
  })

/** Like `procedureFor`, for creations (docs/OPERATIONS.md lists them). Their rate is limited. */
export const creationFor = (scope: RegistryScope | 'any', roles?: readonly Role[]) =>
  procedureFor(scope, roles).use(async ({ ctx, next }) => {
    await ctx.requireCreationRate(ctx.caller)
    return next()
  })

/** Like `creationFor`, for further credentials of a client. The token of a session gets none, because a credential would outlive the session. */
export const credentialFor = (scope: RegistryScope | 'any', roles?: readonly Role[]) =>
  creationFor(scope, roles).use(({ ctx, next }) => {
    requireKeyToken(ctx.caller)
    return next()
  })

/** Refuses the token of a session. */
export function requireKeyToken({ sessionId }: TokenCaller): void {
  if (sessionId !== undefined)
    refuse(
      'forbidden',
      'a token of a browser session cannot create a credential that outlives the session: authenticate with a key, as the command line does',
    )
}

async function refuseAndRecord(ctx: TrpcContext, caller: Caller, path: string, refusal: Refusal): Promise<never> {
  await ctx.onRefusal(caller, path, refusal)
  throw refusal
}

/** Converts an error of the library itself. Anything that is not the caller's fault becomes `server_error` without detail. */
function refusalOf(error: TRPCError): Refusal {
  const reason = reasonOf(error)
  if (reason === 'bad_input' && error.cause instanceof z.ZodError)
    return new Refusal(reason, textOfIssues(error.cause.issues), { faults: faultsOf(error.cause.issues) })
  return new Refusal(reason, TEXT[reason] ?? 'internal error')
}

const TEXT: Partial<Record<Reason, string>> = {
  bad_input: 'the input is malformed',
  batch_too_large: 'too many calls in one batch',
  not_found: 'no such procedure',
  method_not_allowed: 'this procedure does not support the HTTP method of the request',
  unsupported_media_type: 'send application/json',
  body_too_large: 'the body is too large',
}

/** The message with which the WebSocket adapter of @trpc/server refuses a frame. */
const BATCH_TOO_LARGE = 'Batch call exceeds maximum size'

function reasonOf(error: TRPCError): Reason {
  if (error.message === BATCH_TOO_LARGE) return 'batch_too_large'
  switch (error.code) {
    case 'BAD_REQUEST':
    case 'PARSE_ERROR':
      return 'bad_input'
    case 'NOT_FOUND':
      return 'not_found'
    case 'METHOD_NOT_SUPPORTED':
      return 'method_not_allowed'
    case 'UNSUPPORTED_MEDIA_TYPE':
      return 'unsupported_media_type'
    case 'PAYLOAD_TOO_LARGE':
      return 'body_too_large'
    default:
      return 'server_error'
  }
}
