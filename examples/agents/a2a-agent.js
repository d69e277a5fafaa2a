// An A2A server, built with @a2a-js/sdk, that is a Credence agent: it confirms its own registration with a key that never leaves this
// process, follows the feed of endings, and lets nobody in without a token that stands.
import { DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import { openCalleeStore } from 'credence'
import { confirmAgent, createAgent, newEs256Signer } from 'credence/client'
import { a2aUser, createVerifier, guardA2A } from 'credence/verifier'
import express from 'express'

/**
 * Confirms, subscribes and listens.
 * `registration`: { issuer, agentId, registrationToken, port, store }; `card(url)`: its Agent Card; `needs`: which A2A method needs which scope.
 */
export async function startAgent({ registration, card, needs, executor }) {
  const { issuer, agentId, registrationToken, port, store } = registration
  const signer = await newEs256Signer()
  await confirmAgent({ issuer, agentId, registrationToken, signer })
  const agent = createAgent({ issuer, clientId: agentId, signer })
  const feed = await agent.subscribe()

  const url = `http://127.0.0.1:${port}/a2a`
  const audience = `${issuer}/agents/${agentId}`
  const calleeStore = openCalleeStore(store)
  const verifier = createVerifier({ issuer, audience, publicUrl: `http://127.0.0.1:${port}`, standing: feed, ...calleeStore })
  const handler = new DefaultRequestHandler(card(url), new InMemoryTaskStore(), executor(agent))
  const app = express()
  app.use('/a2a', jsonRpcHandler({ requestHandler: guardA2A(handler, { verifier, needs }), userBuilder: a2aUser(verifier) }))
  await new Promise((resolve) => app.listen(port, '127.0.0.1', resolve))
  return { agent, feed, url, audience, signer }
}
