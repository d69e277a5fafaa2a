// An A2A server, built with @a2a-js/sdk, that is a Credence agent. It confirms its registration with a key that never leaves this process,
// follows the revocation feed and refuses requests without a valid token.
import { ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import { sqliteVerifierStore } from 'credence'
import { confirmAgent, createAgent, newPrivateJwk, signerFromJwk } from 'credence/client'
import { a2aUser, createVerifier, guard, guardA2A, needsForAll, verifiedOf } from 'credence/verifier'
import express from 'express'

/** `agentId`, `registrationToken`, `issuer`, `port`, and `store`: the file for consumed proofs and task bindings. */
const registration = JSON.parse(process.env.AGENT ?? '{}')

/** Starts the agent. Callers need `scope`; `work({ text, verified, agent })` returns the text that answers a message. */
export async function startAgent({ scope, work }) {
  const { issuer, agentId, registrationToken, port, store } = registration
  const privateJwk = await newPrivateJwk()
  const signer = await signerFromJwk(privateJwk)
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  const agent = createAgent({ issuer, clientId: agentId, signer })
  const feed = await agent.subscribe()

  const publicUrl = `http://127.0.0.1:${port}`
  const verifier = createVerifier({
    issuer,
    audience: `${issuer}/agents/${agentId}`,
    publicUrl,
    standing: feed,
    ...sqliteVerifierStore(store),
  })
  const handler = new DefaultRequestHandler(plainCard(`${publicUrl}/a2a`), new InMemoryTaskStore(), executorOf(work, agent))
  const app = express()
  app.use(
    '/a2a',
    guard(verifier, 'any'), // guardA2A requires the scope
    jsonRpcHandler({ requestHandler: guardA2A(handler, { verifier, needs: needsForAll({ scope }) }), userBuilder: a2aUser }),
  )
  await new Promise((resolve) => app.listen(port, '127.0.0.1', resolve))
  return { agent, feed, privateJwk, url: `${publicUrl}/a2a`, audience: `${issuer}/agents/${agentId}` }
}

/** Turns each message into a completed task with one artifact. */
const executorOf = (work, agent) => ({
  async execute({ taskId, contextId, userMessage, context }, bus) {
    const text = userMessage.parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: { state: 2, timestamp: new Date().toISOString() },
        artifacts: [],
        history: [userMessage],
      }),
    )
    const result = await work({ text, verified: verifiedOf(context), agent }).catch((error) => `refused: ${error.reason ?? error.message}`)
    const part = { content: { $case: 'text', value: result } }
    bus.publish(
      AgentEvent.artifactUpdate({ taskId, contextId, artifact: { artifactId: 'result', name: 'result', parts: [part] }, lastChunk: true }),
    )
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: { state: 3, timestamp: new Date().toISOString() } }))
    bus.finished()
  },
  async cancelTask() {},
})

/** An A2A client for a peer. Each request carries a token for the peer and a proof. */
export async function a2aClient(agent, peer, endpoint) {
  const transport = new JsonRpcTransportFactory({ fetchImpl: agent.fetchAs(peer) })
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { transports: [transport] })
  return new ClientFactory(options).createFromAgentCard(plainCard(endpoint))
}

/** Sends a text to a peer and returns the text of the result with the id of the A2A task. */
export async function ask(client, text) {
  const message = { messageId: crypto.randomUUID(), role: 1, parts: [{ content: { $case: 'text', value: text } }] }
  const task = await client.sendMessage({ message })
  return { taskId: task.id, text: task.artifacts.flatMap(({ parts }) => parts.map(({ content }) => content.value)).join('') }
}

/** Runs the commands of the demo, `{ id, command, ...options }`, which the parent process sends over IPC. */
export function serveCommands(commands) {
  process.on('message', async ({ id, command, ...options }) => {
    try {
      process.send({ id, result: (await commands[command](options)) ?? null })
    } catch (error) {
      process.send({ id, error: { reason: error.reason ?? error.name, message: error.message } })
    }
  })
  process.send({ ready: true })
}

const plainCard = (url) => ({
  name: 'agent',
  description: '',
  version: '1.0.0',
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: true },
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [],
})
