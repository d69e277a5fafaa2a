// The chapter of the demo in which an agent calls an MCP server. Client and server are those of the MCP SDK.
import { PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { confirmAgent, createAgent, newPrivateJwk, signerFromJwk } from 'credence/client'
import { chapter, claim, freePort, refusal, refusedWithin } from './stage.js'

export async function callMcpServer(stage, issuer, acme) {
  chapter('6. An agent calls an MCP server')
  const resource = `http://127.0.0.1:${await freePort()}/mcp`
  const operator = await acme.mutate('agents.register', { name: 'Notes server' })
  const { resourceId } = await acme.mutate('resources.register', {
    uri: resource,
    name: 'Notes',
    scopes: ['read', 'write'].map((verb) => ({ scope: `notes:${verb}`, words: `${verb} notes` })),
    policy: { mode: 'open' },
    bearer: 'allowed',
    operatorAgentId: operator.agentId,
    understands: ['max_calls'],
  })
  await stage.agent('../mcp-server/server.js', { issuer, ...operator, resource, resourceId, allowBearer: true })
  const { agent, privateKey } = await assistant(issuer, acme, resource)

  const authProvider = new PrivateKeyJwtProvider({
    clientId: agent.clientId,
    privateKey,
    algorithm: 'ES256',
    scope: 'notes:read',
    expectedIssuer: issuer,
  })
  const stock = await connect(resource, { authProvider })
  const { tools } = await stock.listTools()
  claim(tools.length === 2, 'the stock MCP client learned from the challenge where to get a token, and lists the tools')
  const tooWide = await refusal(() => call(stock, 'write-note', { note: 'milk' }))
  claim(tooWide.includes('403'), `its token may read only: ${tooWide}`)
  await stock.close()

  const { taskId } = await agent.tasks.create({ description: 'the shopping list', budget: { calls: 5 } })
  const request = { audience: resource, scope: 'notes:read', taskId }
  const bound = await connect(resource, { fetch: agent.fetchAs({ ...request, maxCalls: 2 }) })
  await call(bound, 'write-note', { note: 'milk' })
  claim((await call(bound, 'read-notes')) === 'milk', 'with fetchAs its tokens are bound to its key and a task, and it stepped up to write')
  const stopped = await refusal(() => call(bound, 'read-notes'))
  const { budget } = await agent.tasks.get(taskId)
  claim(
    /budget/.test(stopped) && budget.reserved.calls === 4,
    `two tokens of two calls each leave one of the five calls of the task, so it gets no third such token: ${stopped}`,
  )
  await bound.close()
  const last = await connect(resource, { fetch: agent.fetchAs({ ...request, maxCalls: 1 }) })
  claim((await call(last, 'read-notes')) === 'milk', 'a token for one call is still within the budget')
  await last.close()

  // A task without a budget: its token has calls left until the server has heard of the ending
  const { taskId: openTaskId } = await agent.tasks.create({ description: 'looking at the list' })
  const open = await connect(resource, { fetch: agent.fetchAs({ ...request, taskId: openTaskId }) })
  await call(open, 'read-notes')
  await agent.tasks.end(openTaskId)
  const ended = performance.now()
  const text = await refusedWithin(ended + 1000, () => call(open, 'read-notes'))
  const ms = (performance.now() - ended).toFixed(1)
  claim(/401|invalid_token/.test(text), `after its task has ended the MCP server refused it, within ${ms} ms: ${text}`)
  await open.close()
}

async function assistant(issuer, acme, resource) {
  const rights = ['notes:read', 'notes:write'].map((scope) => ({ audience: resource, scope }))
  const { agentId, registrationToken } = await acme.mutate('agents.register', { name: 'Assistant', ceiling: { rights } })
  const privateKey = await newPrivateJwk()
  const signer = await signerFromJwk(privateKey)
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  return { agent: createAgent({ issuer, clientId: agentId, signer }), privateKey }
}

async function connect(resource, options) {
  const client = new Client({ name: 'assistant', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), options))
  return client
}

const call = async (client, name, input = {}) => (await client.callTool({ name, arguments: input })).content[0].text
