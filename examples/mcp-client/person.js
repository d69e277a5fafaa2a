// The client of the MCP SDK for a person, and nothing else. It learns from the server's challenge where to ask, prints the URL at which the person
// decides, and refreshes its tokens. It has no key, so it gets bearer tokens only.
// MCP_URL=http://127.0.0.1:8080/mcp TOKENS=tokens.json node person.js read-notes
// CLIENT_URL: where its metadata are published. Without it this program serves them itself, which suffices for a registry with --dev.
// SCOPE: the scopes to ask for. Default: those of the server's challenge.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const { MCP_URL, TOKENS, CLIENT_URL, SCOPE, PORT = '4411' } = process.env
const [tool = 'read-notes', input = '{}'] = process.argv.slice(2)
const own = `http://127.0.0.1:${PORT}`
const redirectUrl = `${own}/callback`
const clientMetadata = {
  client_name: 'Notes client',
  redirect_uris: [redirectUrl],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

const saved = existsSync(TOKENS) ? JSON.parse(readFileSync(TOKENS, 'utf8')) : {}
function save(changes) {
  Object.assign(saved, changes)
  writeFileSync(TOKENS, JSON.stringify(saved), { mode: 0o600 })
}
const state = randomUUID()
let codeVerifier
let registry
const authProvider = {
  redirectUrl,
  clientMetadata,
  clientMetadataUrl: CLIENT_URL,
  clientInformation: () => saved.client ?? (CLIENT_URL ? undefined : { client_id: `${own}/client.json` }),
  saveClientInformation: (client) => save({ client }),
  tokens: () => saved.tokens,
  saveTokens: (tokens) => save({ tokens }),
  invalidateCredentials: (what) => (what === 'tokens' || what === 'all') && save({ tokens: undefined }),
  saveDiscoveryState: (discovered) => {
    registry = discovered.authorizationServerMetadata
  },
  state: () => state,
  codeVerifier: () => codeVerifier,
  saveCodeVerifier: (verifier) => {
    codeVerifier = verifier
  },
  redirectToAuthorization: (url) => {
    // The SDK asks for the scopes of the challenge. Refresh tokens need offline_access too.
    url.searchParams.set('scope', `${SCOPE ?? url.searchParams.get('scope')} offline_access`)
    console.log(`open ${url}`)
  },
}

const listener = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, own)
  if (pathname === '/client.json')
    return response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ client_id: `${own}/client.json`, ...clientMetadata }))
  // A response without the state of this program, or of another registry, is not for it (RFC 9207)
  const isExpected = pathname === '/callback' && searchParams.get('state') === state && searchParams.get('iss') === registry?.issuer
  if (!isExpected) return response.writeHead(404).end()
  response.end('You can close this page.')
  return listener.emit('decision', searchParams)
})
await once(listener.listen(Number(PORT), '127.0.0.1'), 'listening')

async function callTool() {
  const transport = new StreamableHTTPClientTransport(new URL(MCP_URL), { authProvider })
  const client = new Client({ name: 'notes-client', version: '1.0.0' })
  try {
    await client.connect(transport)
    const { content } = await client.callTool({ name: tool, arguments: JSON.parse(input) })
    return content[0].text
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error
    const [decision] = await once(listener, 'decision')
    if (!decision.has('code')) throw new Error(`${decision.get('error')}: ${decision.get('error_description')}`)
    await transport.finishAuth(decision.get('code'))
    return await callTool()
  } finally {
    await client.close()
  }
}

try {
  console.log(await callTool())
} finally {
  listener.close()
}
