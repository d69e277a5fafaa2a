import { initTRPC, TRPCError } from '@trpc/server'
import { type Fault, isRefusal, REFUSALS, Refusal, refuse } from '../../errors.js'
import { pointerOf } from '../../lib/json-pointer.js'
import type { RegistryScope } from '../../protocol/rights.js'
import type { Caller, Role } from '../caller.js'

/** What every procedure gets. Made once a request by the composition root. */
export interface TrpcContext {
  readonly requestId: string
  /** Authenticates the request (token, proof, fence), once; undefined where it carries no token; refuses a bad one. */
  findCaller(): Promise<Caller | undefined>
  /** Ends where the caller's standing ends, its token expires or the server closes: for subscriptions. */
  readonly alive: (caller: Caller) => AbortSignal
  /** Records that an authenticated caller was refused. */
  onRefusal(caller: Caller, path: string, refusal: Refusal): Promise<void>
  /** Logs a bug, once. */
  onBug(path: string, error: unknown): void
  /** Works when the turn of this call comes. Absent where its request has had its turn (HTTP). */
  readonly admit?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined
}

const t = initTRPC.context<TrpcContext>().create({
  isDev: false,
  errorFormatter: ({ shape, error, ctx, path }) => {
    const refusal = isRefusal(error.cause) ? error.cause : refusalOf(error)
    return { code: shape.code, ...refusedCall(refusal, ctx?.requestId, path) }
  },
})

/** How a refused call is told, in this process and to `transport/trpc-http`, which refuses before a call begins. */
export const refusedCall = ({ reason, message, detail }: Refusal, requestId?: string, path?: string) => ({
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

/** Everything thrown below becomes a TRPCError whose cause is the refusal; a bug is logged here, once. */
const answered = t.procedure.use(async ({ ctx, path, type, next }) => {
  const result = await next()
  if (!result.ok && isRefusal(result.error.cause)) {
    const refusal = result.error.cause
    return { ...result, error: new TRPCError({ code: REFUSALS[refusal.reason].trpc, message: refusal.message, cause: refusal }) }
  }
  // What a running subscription throws no middleware sees: transport/trpc-ws logs those.
  if (!result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && type !== 'subscription')
    ctx.onBug(path, result.error.cause ?? result.error)
  return result
})

const guarded = answered.use(({ ctx, next }) => (ctx.admit ? ctx.admit(next) : next()))

/** For anybody; `ctx.findCaller()` tells who it is where that matters. */
export const openProcedure = guarded

/** For a caller whose root token has `scope` and who has one of `roles` (all, where none is named). `ctx.caller` is who. */
export const procedureFor = (scope: RegistryScope, roles?: readonly Role[]) =>
  guarded.use(async ({ ctx, path, next }) => {
    const caller = await ctx.findCaller()
    if (!caller) refuse('invalid_token', 'this call needs a root token')
    if (!caller.scopes.some((held) => held === scope)) {
      return refusedAs(ctx, caller, path, () => refuse('insufficient_scope', `this call needs the scope ${scope}`))
    }
    if (roles && !roles.includes(caller.role))
      return refusedAs(ctx, caller, path, () => refuse('forbidden', `not for the role ${caller.role}`))
    const result = await next({ ctx: { ...ctx, caller } })
    if (!result.ok && isRefusal(result.error.cause)) await ctx.onRefusal(caller, path, result.error.cause)
    return result
  })

async function refusedAs(ctx: TrpcContext, caller: Caller, path: string, refusing: () => never): Promise<never> {
  try {
    refusing()
  } catch (refusal) {
    if (isRefusal(refusal)) await ctx.onRefusal(caller, path, refusal)
    throw refusal
  }
}

/** What the library refuses by itself, in our words; anything else is a bug, of which nothing is told. */
function refusalOf(error: TRPCError): Refusal {
  const reason = reasonOf(error)
  return new Refusal(reason, reason === 'server_error' ? 'internal error' : (PUBLIC[reason] ?? ''), { faults: faultsOf(error.cause) })
}

const PUBLIC: Partial<Record<keyof typeof REFUSALS, string>> = {
  bad_input: 'the input does not have the form of this call',
  batch_too_large: 'too many calls at once',
  not_found: 'no such procedure',
  method_not_allowed: 'not with this HTTP method',
  unsupported_media_type: 'send application/json',
  body_too_large: 'the body is too large',
}

/** As @trpc/server says it of a frame (adapters/ws). */
const BATCH_TOO_LARGE = 'Batch call exceeds maximum size'

function reasonOf(error: TRPCError): keyof typeof REFUSALS {
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

/** One fault for each zod issue: its JSON Pointer and what was expected. Never the value. */
function faultsOf(cause: unknown): Fault[] {
  if (!(cause instanceof Error) || !('issues' in cause) || !Array.isArray(cause.issues)) return []
  return cause.issues.slice(0, 20).map((issue: { path?: readonly PropertyKey[]; message?: string }) => ({
    pointer: pointerOf((issue.path ?? []).map(String)),
    hint: String(issue.message ?? 'invalid'),
  }))
}
