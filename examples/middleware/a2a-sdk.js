// A callee built with @a2a-js/sdk: the guard before its handler, and around it what ties A2A tasks to tasks.
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import { a2aUser, createVerifier, guard, guardA2A, needsForAll, verifiedOf } from 'credence/verifier'
import express from 'express'
import { answerTo } from './who.js'

export function start(options, port) {
  const verifier = createVerifier(options)
  const handler = new DefaultRequestHandler(card(`${options.publicUrl}/a2a`), new InMemoryTaskStore(), { execute, async cancelTask() {} })
  const requestHandler = guardA2A(handler, { verifier, needs: needsForAll({ scope: 'ocr:read' }) })
  return express()
    .use('/a2a', guard(verifier), jsonRpcHandler({ requestHandler, userBuilder: a2aUser }))
    .listen(port, '127.0.0.1')
}

async function execute({ contextId, userMessage, context }, bus) {
  const text = userMessage.parts.map(({ content }) => content.value).join('')
  const value = JSON.stringify(answerTo(verifiedOf(context), text))
  bus.publish(AgentEvent.message({ messageId: crypto.randomUUID(), role: 2, contextId, parts: [{ content: { $case: 'text', value } }] }))
  bus.finished()
}

const card = (url) => ({
  name: 'a callee',
  description: '',
  version: '1.0.0',
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: {},
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [],
})
