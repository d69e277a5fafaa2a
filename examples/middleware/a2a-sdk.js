import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import { a2aUser, createVerifier, guard, guardA2A, needsForAll, verifiedOf } from 'credence/verifier'
import express from 'express'
import { ready, seen, thisAgent } from './this-agent.js'

const { issuer, audience, publicUrl, port, agent, card } = await thisAgent()
const app = express()
const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), { execute, cancelTask: async () => {} })

// These lines adopt Credence. guardA2A also binds A2A tasks to the callers' Credence tasks; it refuses methods that are not in `needs`.
const verifier = createVerifier({ issuer, audience, publicUrl, standing: await agent.subscribe() })
const needs = { ...needsForAll({ scope: 'ocr:read' }), CancelTask: { scope: 'ocr:admin' } }
const requestHandler = guardA2A(handler, { verifier, needs })
app.use('/a2a', guard(verifier, { scope: 'ocr:read' }), jsonRpcHandler({ requestHandler, userBuilder: a2aUser }))

async function execute({ taskId, contextId, userMessage, context }, bus) {
  const [part] = userMessage.parts
  const text = JSON.stringify(seen(verifiedOf(context), part.content.value))
  const artifacts = [{ artifactId: 'result', name: 'result', parts: [{ content: { $case: 'text', value: text } }] }]
  bus.publish(AgentEvent.task({ id: taskId, contextId, status: { state: 3 }, artifacts, history: [userMessage] }))
  bus.finished()
}

const server = app.listen(port, '127.0.0.1', () => ready(server.address().port))
