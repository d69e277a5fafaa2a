// Shared by the five examples: an agent that confirms its registration and publishes a card.
// AGENT='{"issuer":…,"agentId":…,"registrationToken":…,"publicUrl":"https://ocr.example","port":8080}' node examples/middleware/express.js
// With "keyFile" the agent saves its key there and can be restarted without the registration token.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { confirmAgent, createAgent, newPrivateJwk, signerFromJwk } from 'credence/client'

export async function thisAgent() {
  const { issuer, agentId, registrationToken, publicUrl, port, keyFile } = JSON.parse(process.env.AGENT ?? '{}')
  const isNew = keyFile === undefined || !existsSync(keyFile)
  const privateJwk = isNew ? await newPrivateJwk() : JSON.parse(readFileSync(keyFile, 'utf8'))
  const signer = await signerFromJwk(privateJwk)
  if (isNew) await confirmAgent({ issuer, agentId, registrationToken, signer })
  if (isNew && keyFile !== undefined) writeFileSync(keyFile, JSON.stringify(privateJwk), { mode: 0o600 })
  const agent = createAgent({ issuer, clientId: agentId, signer })
  const card = cardAt(`${publicUrl}/a2a`, issuer)
  await agent.publish({ card })
  return { issuer, audience: `${issuer}/agents/${agentId}`, publicUrl, port, agent, card }
}

/** The verified caller and the request body, in the form in which the examples respond. */
export const seen = ({ claims, chain, taskId }, body) => ({
  subject: claims.sub,
  actors: chain.slice(1),
  scopes: claims.scope.split(' '),
  task: taskId,
  body,
})

export const ready = (port) => console.log(`listening on ${port}`)

const cardAt = (url, issuer) => ({
  name: 'Magpie OCR',
  description: 'Reads photographed pages.',
  version: '1.0.0',
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: true },
  securitySchemes: {
    credence: {
      oauth2SecurityScheme: {
        flows: {
          clientCredentials: { tokenUrl: `${issuer}/oauth/token`, scopes: { 'ocr:read': 'read pages', 'ocr:admin': 'change settings' } },
        },
      },
    },
  },
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 'read-page', name: 'Read a page', description: 'Text of one scanned page.', tags: ['ocr'] }],
})
