import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'

/**
 * A `fetch` with which a machine-to-machine provider of the MCP SDK steps up. The SDK answers 403 `insufficient_scope` by a request for a new
 * token, but with the scope that the provider was configured with. This sets the scope that the server asks for first.
 */
export const steppingUp =
  (provider, fetch = globalThis.fetch) =>
  async (input, init) => {
    const response = await fetch(input, init)
    const { error, scope } = extractWWWAuthenticateParams(response)
    if (error === 'insufficient_scope' && scope) provider.clientMetadata.scope = scope
    return response
  }
