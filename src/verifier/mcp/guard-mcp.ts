import { Refusal, refuse } from '../../errors.js'
import { isJsonObject } from '../../lib/json.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { coveredBySome, Scope } from '../../protocol/rights.js'
import type { RequestVerifier } from '../admit.js'
import { admitInto, type GuardedRequest, type GuardedResponse } from '../guard.js'
import { refusalResponse } from '../refusal-response.js'
import type { Verified } from '../verify-request.js'

/** The scopes that the requests to an MCP server require. */
export interface McpNeeds {
  /** The scope of every request except calls of the tools in `tools`. */
  readonly scope: string
  /** The scope of each tool. A call of a tool without an entry is refused. Default: every tool requires `scope`. */
  readonly tools?: Readonly<Record<string, string>>
}

const MCP_NEEDS: OptionNames<McpNeeds> = { scope: true, tools: true }

/** The `AuthInfo` of the MCP SDK, which a tool reads as `extra.authInfo`. */
export interface McpAuth {
  readonly token: string
  readonly clientId: string
  readonly scopes: string[]
  readonly expiresAt: number
  readonly resource: URL
  readonly extra: { readonly credence: Verified }
}

/** A request whose JSON body has been parsed. The guard sets `credence` and `auth` on a request that it accepts. */
export interface McpRequest extends GuardedRequest {
  readonly body?: unknown
  auth?: McpAuth
}

/** The verified request in the form that the MCP SDK hands to tools (`req.auth`, `authInfo`). */
export const mcpAuthOf = (verified: Verified): McpAuth => ({
  token: verified.accessToken,
  clientId: verified.claims.client_id,
  scopes: verified.claims.scope.split(' '),
  expiresAt: verified.claims.exp,
  resource: new URL(verified.claims.aud),
  extra: { credence: verified },
})

/**
 * Middleware for an MCP server with Streamable HTTP in Express: `app.use('/mcp', express.json(), guardMcp(verifier, needs))`. A call of a tool
 * requires the scope of that tool; a token that is restricted to tools or resources must allow the tool that is called or the resource that is read. The refusal is 403 with the scopes that are missing, so
 * that a client can request a token with them. For a token that limits calls, the handshake, notifications and lists are no calls. Pass the parsed body on: `transport.handleRequest(req, res, req.body)`.
 */
export function guardMcp(
  verifier: RequestVerifier,
  needs: McpNeeds,
): (request: McpRequest, response: GuardedResponse, next: () => unknown) => Promise<void> {
  requireOptions('guardMcp', needs, MCP_NEEDS)
  const tools = needs.tools && new Map(Object.entries(needs.tools))
  for (const scope of [needs.scope, ...(tools?.values() ?? [])])
    if (!Scope.safeParse(scope).success) refuse('bad_input', `guardMcp: ${JSON.stringify(scope)} is not a scope`)
  return async (request, response, next) => {
    const { tool, uri, fault, isCall = false } = request.method === 'POST' ? readCall(request.body, tools) : {}
    const scope = tools?.get(tool ?? '') ?? needs.scope
    const verified = await admitInto(verifier, request, response, { scope, ...(tool !== undefined && { tool }) }, { isCall })
    if (!verified) return
    const refusal = fault === undefined ? refusalOfResource(verified, uri) : new Refusal('bad_input', fault)
    if (refusal) {
      const { status, headers, body } = refusalResponse(refusal)
      response.writeHead(status, { ...headers }).end(body)
      return
    }
    request.auth = mcpAuthOf(verified)
    next()
  }
}

/** A token that is restricted to resources must allow the one that a message reads. */
function refusalOfResource({ claims: { allowed_resources } }: Verified, uri: string | undefined): Refusal | undefined {
  const isAllowed = uri === undefined || allowed_resources === undefined || coveredBySome(allowed_resources, uri)
  return isAllowed ? undefined : new Refusal('insufficient_scope', 'the token does not allow this resource')
}

interface ReadCall {
  readonly tool?: string
  /** The resource that the message reads. */
  readonly uri?: string
  readonly fault?: string
  /** True if the message asks the server to do something. Also for methods that this guard does not know. */
  readonly isCall?: boolean
}

const NO_CALLS = /^(?:initialize|ping|notifications\/.*|[a-z]+(?:\/[a-z]+)?\/list)$/
const READS: readonly unknown[] = ['resources/read', 'resources/subscribe']

/** The tool that a message calls, the resource that it reads, or why the message cannot be judged. The MCP SDK would read a body that was not parsed before. */
function readCall(body: unknown, tools: ReadonlyMap<string, string> | undefined): ReadCall {
  if (!isJsonObject(body)) return { fault: 'send one JSON-RPC message as application/json; MCP has no batches since version 2025-06-18' }
  if (READS.includes(body.method)) {
    const uri = isJsonObject(body.params) ? body.params.uri : undefined
    return typeof uri === 'string' ? { uri, isCall: true } : { fault: '/params/uri: must be the URI of a resource' }
  }
  // A message without a method is the response to a request of the server
  if (body.method !== 'tools/call') return { isCall: typeof body.method === 'string' && !NO_CALLS.test(body.method) }
  const tool = isJsonObject(body.params) ? body.params.name : undefined
  if (typeof tool !== 'string') return { fault: '/params/name: must be the name of a tool' }
  return tools?.has(tool) === false ? { tool, fault: '/params/name: this server has no tool of this name' } : { tool, isCall: true }
}
