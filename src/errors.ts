/** All reasons for which a request can be refused. A new row also needs a line in docs/ERRORS.md (a test compares them). */
export const REFUSALS = {
  // OAuth                                                                  Source
  invalid_request: { http: 400, trpc: 'BAD_REQUEST' }, //                   RFC 6749 §5.2
  invalid_grant: { http: 400, trpc: 'BAD_REQUEST' }, //                     RFC 6749 §5.2
  invalid_client: { http: 401, trpc: 'UNAUTHORIZED' }, //                   RFC 6749 §5.2
  unauthorized_client: { http: 400, trpc: 'BAD_REQUEST' }, //               RFC 6749 §4.1.2.1, §5.2
  unsupported_grant_type: { http: 400, trpc: 'BAD_REQUEST' }, //            RFC 6749 §5.2
  unsupported_response_type: { http: 400, trpc: 'BAD_REQUEST' }, //         RFC 6749 §4.1.2.1
  access_denied: { http: 400, trpc: 'FORBIDDEN' }, //                       RFC 6749 §4.1.2.1, RFC 8628 §3.5
  authorization_pending: { http: 400, trpc: 'BAD_REQUEST' }, //             RFC 8628 §3.5
  slow_down: { http: 400, trpc: 'BAD_REQUEST' }, //                         RFC 8628 §3.5
  expired_token: { http: 400, trpc: 'BAD_REQUEST' }, //                     RFC 8628 §3.5
  login_required: { http: 400, trpc: 'BAD_REQUEST' }, //                    OpenID Connect Core §3.1.2.6
  consent_required: { http: 400, trpc: 'BAD_REQUEST' }, //                  OpenID Connect Core §3.1.2.6
  request_not_supported: { http: 400, trpc: 'BAD_REQUEST' }, //             OpenID Connect Core §3.1.2.6
  invalid_request_uri: { http: 400, trpc: 'BAD_REQUEST' }, //               OpenID Connect Core §3.1.2.6, RFC 9126 §2
  invalid_scope: { http: 400, trpc: 'BAD_REQUEST' }, //                     RFC 6749 §5.2
  invalid_target: { http: 400, trpc: 'BAD_REQUEST' }, //                    RFC 8693 §2.2.2, RFC 8707 §2
  invalid_authorization_details: { http: 400, trpc: 'BAD_REQUEST' }, //     RFC 9396 §5
  invalid_dpop_proof: { http: 400, trpc: 'BAD_REQUEST' }, //                RFC 9449 §5
  use_dpop_nonce: { http: 400, trpc: 'BAD_REQUEST' }, //                    RFC 9449 §8
  invalid_client_metadata: { http: 400, trpc: 'BAD_REQUEST' }, //           RFC 7591 §3.2.2
  invalid_redirect_uri: { http: 400, trpc: 'BAD_REQUEST' }, //              RFC 7591 §3.2.2
  invalid_software_statement: { http: 400, trpc: 'BAD_REQUEST' }, //        RFC 7591 §3.2.2
  // Protected resources
  invalid_token: { http: 401, trpc: 'UNAUTHORIZED' }, //                    RFC 6750 §3.1
  insufficient_scope: { http: 403, trpc: 'FORBIDDEN' }, //                  RFC 6750 §3.1
  // At a protected resource 403
  insufficient_budget: { http: 400, trpc: 'BAD_REQUEST' },
  // Access. From here on the reasons are our own.
  forbidden: { http: 403, trpc: 'FORBIDDEN' },
  not_found: { http: 404, trpc: 'NOT_FOUND' },
  gone: { http: 410, trpc: 'NOT_FOUND' },
  method_not_allowed: { http: 405, trpc: 'METHOD_NOT_SUPPORTED' },
  origin_not_allowed: { http: 403, trpc: 'FORBIDDEN' },
  csrf: { http: 403, trpc: 'FORBIDDEN' },
  // Input
  bad_input: { http: 400, trpc: 'BAD_REQUEST' },
  unsupported_media_type: { http: 415, trpc: 'UNSUPPORTED_MEDIA_TYPE' },
  body_too_large: { http: 413, trpc: 'PAYLOAD_TOO_LARGE' },
  batch_too_large: { http: 400, trpc: 'BAD_REQUEST' },
  bad_cursor: { http: 400, trpc: 'BAD_REQUEST' },
  // State
  already_exists: { http: 409, trpc: 'CONFLICT' },
  conflict: { http: 409, trpc: 'CONFLICT' },
  already_revoked: { http: 409, trpc: 'CONFLICT' },
  already_ended: { http: 409, trpc: 'CONFLICT' },
  not_pending: { http: 409, trpc: 'CONFLICT' },
  code_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  standing_too_large: { http: 400, trpc: 'BAD_REQUEST' },
  // Names
  name_reserved: { http: 409, trpc: 'CONFLICT' },
  name_confusable: { http: 409, trpc: 'CONFLICT' },
  namespace_unverified: { http: 403, trpc: 'FORBIDDEN' },
  resource_unproved: { http: 403, trpc: 'FORBIDDEN' },
  namespace_continuity: { http: 409, trpc: 'CONFLICT' },
  // Keys and cards
  key_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  key_untrusted: { http: 400, trpc: 'BAD_REQUEST' },
  key_revoked: { http: 400, trpc: 'BAD_REQUEST' },
  card_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  card_unsigned: { http: 400, trpc: 'BAD_REQUEST' },
  card_signature_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  checkpoint_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  checkpoint_inconsistent: { http: 422, trpc: 'UNPROCESSABLE_CONTENT' }, //      C2SP tlog-witness
  card_version_stale: { http: 409, trpc: 'CONFLICT' },
  card_version_immutable: { http: 409, trpc: 'CONFLICT' },
  card_version_unsupported: { http: 400, trpc: 'BAD_REQUEST' },
  sd_jwt_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  key_binding_required: { http: 401, trpc: 'UNAUTHORIZED' },
  release_policy_invalid: { http: 400, trpc: 'BAD_REQUEST' },
  release_policy_stale: { http: 409, trpc: 'CONFLICT' },
  // Introductions and delegation
  delegation_cycle: { http: 400, trpc: 'BAD_REQUEST' },
  delegation_too_deep: { http: 400, trpc: 'BAD_REQUEST' },
  approval_required: { http: 400, trpc: 'FORBIDDEN' },
  // Outgoing requests
  url_not_allowed: { http: 400, trpc: 'BAD_REQUEST' },
  fetch_failed: { http: 502, trpc: 'BAD_GATEWAY' },
  // Load and availability
  rate_limited: { http: 429, trpc: 'TOO_MANY_REQUESTS' },
  standing_unknown: { http: 503, trpc: 'SERVICE_UNAVAILABLE' },
  clock_implausible: { http: 503, trpc: 'SERVICE_UNAVAILABLE' },
  unavailable: { http: 503, trpc: 'SERVICE_UNAVAILABLE' },
  // A bug: logged with its stack, sent without detail
  server_error: { http: 500, trpc: 'INTERNAL_SERVER_ERROR' },
} as const

export type Reason = keyof typeof REFUSALS

/** A fault in an input: its location (JSON Pointer, RFC 6901) and how to fix it. */
export interface Fault {
  readonly pointer: string
  readonly hint: string
}

/** A client asks for an approval at `endpoint` with `bindingToken`, until `expiresAt` (epoch seconds). */
export interface AccessRequest {
  readonly endpoint: string
  readonly bindingToken: string
  readonly expiresAt: number
}

/** The rest of a budget. */
interface Available {
  readonly calls?: number | undefined
  readonly units?: number | undefined
}

interface RefusalDetail {
  readonly faults?: readonly Fault[]
  readonly retryAfterSeconds?: number
  /** The limit that the request exceeds: a number of requests per window, or of concurrent requests if there is no window. */
  readonly rateLimit?: { readonly name: string; readonly quota: number; readonly windowSeconds?: number }
  /** The methods that the endpoint supports (RFC 9110 §15.5.6). */
  readonly allow?: readonly string[]
  /** Replaces the `WWW-Authenticate` header of a 401. */
  readonly challenge?: string
  /** The scopes of the refused token and the one that it lacks (RFC 6750 §3.1). */
  readonly scopes?: readonly string[]
  readonly available?: Available
  /** A fresh nonce that the client must use in its next proof (RFC 9449 §8). */
  readonly dpopNonce?: string
  /** How to ask for the approval that the request needs. */
  readonly accessRequest?: AccessRequest
  /** The error behind it, for the operator's log. It is not sent. */
  readonly cause?: unknown
}

/**
 * The error of `credence/client` and `credence/verifier`: an error response of a registry, a failure to reach it, or input that was refused
 * before anything was sent. docs/ERRORS.md lists the reasons.
 */
export class CredenceError extends Error {
  readonly reason: string
  /** HTTP status; 0 if there was no response. */
  readonly status: number
  /** The faults of an input, with pointers into what the caller passed. */
  readonly faults: readonly Fault[]
  readonly requestId: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** With the reason `approval_required`: how to ask for the approval (`approvals.request` of `credence/client`). */
  readonly accessRequest: AccessRequest | undefined
  /** With the reason `insufficient_budget` of a registry: the rest of the budgets of the task and its parents. */
  readonly available: Available | undefined

  constructor(problem: {
    reason: string
    text: string
    status: number
    faults?: readonly Fault[] | undefined
    requestId?: string | undefined
    retryAfterSeconds?: number | undefined
    accessRequest?: AccessRequest | undefined
    available?: Available | undefined
  }) {
    super(problem.text)
    this.name = 'CredenceError'
    this.reason = problem.reason
    this.status = problem.status
    this.faults = problem.faults ?? []
    this.requestId = problem.requestId
    this.retryAfterSeconds = problem.retryAfterSeconds
    this.accessRequest = problem.accessRequest
    this.available = problem.available
  }
}

/** Stored data is damaged: its disk failed, or something else than Credence has changed it. Its text says what and where, and is for the operator. */
export class DamagedStore extends Error {
  constructor(text: string) {
    super(text)
    this.name = 'DamagedStore'
    // It is no bug, so no line of code explains it
    this.stack = text
  }
}

/** An error that is the caller's fault or follows from one of our rules. Its text is sent to the caller, so it must not reveal secrets. */
export class Refusal extends CredenceError {
  declare readonly reason: Reason
  readonly detail: RefusalDetail

  constructor(reason: Reason, text: string, detail: RefusalDetail = {}) {
    const { faults, retryAfterSeconds, accessRequest, available } = detail
    super({ reason, text, status: REFUSALS[reason].http, faults, retryAfterSeconds, accessRequest, available })
    this.name = 'Refusal'
    this.detail = detail
    if (detail.cause !== undefined) this.cause = detail.cause
  }
}

export function refuse(reason: Reason, text: string, detail?: RefusalDetail): never {
  throw new Refusal(reason, text, detail)
}

/** The first line of the error behind this one, for the operator. It is never sent to a caller. */
export const causeText = ({ cause }: Error): string | undefined =>
  cause instanceof Error ? cause.message.split('\n')[0]?.slice(0, MAX_CAUSE_LENGTH) : undefined
const MAX_CAUSE_LENGTH = 300

export const isRefusal = (error: unknown): error is Refusal => error instanceof Refusal
