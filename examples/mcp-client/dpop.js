// The client of the MCP SDK with tokens that are bound to the agent's key: `fetchAs` is its `fetch`.
// MCP_URL=http://127.0.0.1:8080/mcp CLIENT_ID=agt_… KEY_FILE=agent.key.json ISSUER=http://localhost:4000 node dpop.js read-notes
import { readFileSync } from 'node:fs'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { createAgent, signerFromJwk } from 'credence/client'

const { MCP_URL, CLIENT_ID, KEY_FILE, ISSUER, SCOPE = 'notes:read' } = process.env
const [tool = 'read-notes', input = '{}'] = process.argv.slice(2)

const signer = await signerFromJwk(JSON.parse(readFileSync(KEY_FILE, 'utf8')))
const agent = createAgent({ issuer: ISSUER, clientId: CLIENT_ID, signer })
const client = new Client({ name: 'notes-client', version: '1.0.0' })
// If a tool requires more than SCOPE, fetchAs requests a token with it. The registry grants it as far as the ceiling of the agent allows.
const fetch = agent.fetchAs({ audience: MCP_URL, scope: SCOPE })
await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { fetch }))
const { content } = await client.callTool({ name: tool, arguments: JSON.parse(input) })
console.log(content[0].text)
await client.close()
