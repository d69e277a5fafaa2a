// An MCP server, built with the MCP SDK, that keeps notes. It is a protected resource of a Credence registry: each tool requires a scope.
// AGENT='{"issuer":…,"agentId":…,"registrationToken":…,"resource":"http://127.0.0.1:8080/mcp","resourceId":"res_…","keyFile":"key.json"}' node server.js
// With "keyFile" the agent saves its key there and can be restarted without the registration token.
// "allowBearer": true accepts bearer tokens too, which the resource must have been registered for (bearer: allowed).
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { confirmAgent, createAgent, newPrivateJwk, signerFromJwk } from 'credence/client'
import { createVerifier, guardMcp, protectedResource } from 'credence/verifier'
import express from 'express'
import { z } from 'zod'

const { issuer, agentId, registrationToken, resource, resourceId, keyFile, allowBearer = false } = JSON.parse(process.env.AGENT ?? '{}')
// The agent that follows revocations for this server (operatorAgentId of the resource)
const isNew = keyFile === undefined || !existsSync(keyFile)
const privateJwk = isNew ? await newPrivateJwk() : JSON.parse(readFileSync(keyFile, 'utf8'))
const signer = await signerFromJwk(privateJwk)
if (isNew) await confirmAgent({ issuer, agentId, registrationToken, signer })
if (isNew && keyFile !== undefined) writeFileSync(keyFile, JSON.stringify(privateJwk), { mode: 0o600 })
const agent = createAgent({ issuer, clientId: agentId, signer })
const app = express()

// These lines adopt Credence:
const needs = { scope: 'notes:read', tools: { 'read-notes': 'notes:read', 'write-note': 'notes:write' } }
const verifier = createVerifier({
  issuer,
  resource,
  allowBearer,
  publicUrl: new URL(resource).origin,
  standing: await agent.subscribe(),
  // Counts the calls of tokens that limit them. In production `...sqliteVerifierStore(file)`, so that a restart forgets no call
  understands: ['max_calls'],
})
app.use(protectedResource({ verifier, scopes: ['notes:read', 'notes:write'], name: 'Notes', resourceId }).middleware)
app.use(new URL(resource).pathname, express.json(), guardMcp(verifier, needs))

/** The notes of each caller, by the subject of its tokens. */
const notes = new Map()
const text = (value) => ({ content: [{ type: 'text', text: value }] })

function newNotesServer() {
  const server = new McpServer({ name: 'notes', version: '1.0.0' })
  server.registerTool('read-notes', { description: 'Reads your notes.' }, ({ authInfo }) => {
    const { claims } = authInfo.extra.credence
    return text((notes.get(claims.sub) ?? []).join('\n'))
  })
  server.registerTool(
    'write-note',
    { description: 'Writes a note.', inputSchema: { note: z.string().max(1000) } },
    ({ note }, { authInfo }) => {
      const { claims } = authInfo.extra.credence
      notes.set(claims.sub, [...(notes.get(claims.sub) ?? []), note].slice(-100))
      return text('written')
    },
  )
  return server
}

// Stateless: each request has a server and a transport of its own
app.post(new URL(resource).pathname, async (request, response) => {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  const server = newNotesServer()
  response.once('close', () => server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response, request.body)
})
// This server sends no messages of its own, so it has no stream for them
app.all(new URL(resource).pathname, (_, response) => response.status(405).set('allow', 'POST').end())

const listener = app.listen(Number(new URL(resource).port), '127.0.0.1', () => {
  // The demo starts this program as a child
  if (process.send) process.send({ ready: true })
  else console.log(`listening on ${listener.address().port}`)
})
