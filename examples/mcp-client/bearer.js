// The client of the MCP SDK and nothing else: it learns from the server's challenge where to get a token, and gets one with its key.
// MCP_URL=http://127.0.0.1:8080/mcp CLIENT_ID=agt_… KEY_FILE=agent.key.json ISSUER=http://localhost:4000 node bearer.js read-notes
import { readFileSync } from 'node:fs'
import { PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { steppingUp } from './stepping-up.js'

const { MCP_URL, CLIENT_ID, KEY_FILE, ISSUER, SCOPE = 'notes:read', STEP_UP } = process.env
const [tool = 'read-notes', input = '{}'] = process.argv.slice(2)

const authProvider = new PrivateKeyJwtProvider({
  clientId: CLIENT_ID,
  privateKey: JSON.parse(readFileSync(KEY_FILE, 'utf8')),
  algorithm: 'ES256',
  scope: SCOPE,
  // Without it the server decides which registry gets the assertion. Name it, unless you trust every server that you call.
  ...(ISSUER && { expectedIssuer: ISSUER }),
})
const client = new Client({ name: 'notes-client', version: '1.0.0' })
const options = { authProvider, ...(STEP_UP && { fetch: steppingUp(authProvider) }) }
await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), options))
const { content } = await client.callTool({ name: tool, arguments: JSON.parse(input) })
console.log(content[0].text)
await client.close()
