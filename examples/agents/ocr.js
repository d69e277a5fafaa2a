// Reads scanned pages. The agent publishes a card with two skills and an interface that are not public, and decides itself on requests
// for introductions.
import { serveCommands, startAgent } from './a2a-agent.js'

const { agent, feed, url, audience } = await startAgent({
  scope: 'ocr:read',
  work: async ({ text, verified }) => `read "${text}" for ${verified.chain.join(' → ')}`,
})

const skill = (id, name, tags) => ({ id, name, description: `${name}, page by page.`, tags })
const card = {
  name: 'Ocelot OCR',
  description: 'Reads scanned documents and gives back their text.',
  version: '1.0.0',
  supportedInterfaces: [
    { url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
    { url: `${url}/bulk`, protocolBinding: 'HTTP+JSON', protocolVersion: '1.0' },
  ],
  capabilities: { streaming: true },
  securitySchemes: {
    credence: {
      oauth2SecurityScheme: {
        flows: {
          clientCredentials: {
            tokenUrl: `${agent.issuer}/oauth/token`,
            scopes: { 'ocr:read': 'read pages', 'ocr:admin': 'change settings' },
          },
        },
        oauth2MetadataUrl: `${agent.issuer}/.well-known/oauth-authorization-server`,
      },
    },
  },
  securityRequirements: [{ schemes: { credence: { list: ['ocr:read'] } } }],
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [
    skill('read-page', 'Read a page', ['ocr', 'scan']),
    skill('read-passport', 'Read a passport', ['ocr', 'identity']),
    skill('read-invoice', 'Read an invoice', ['ocr', 'accounting']),
  ],
}

/** Approves every requested introduction whose purpose does not mention spam. */
agent.introductions.watch(async ({ kind, introductionId, purpose }) => {
  if (kind === 'requested' && !purpose.includes('spam')) await agent.introductions.approve(introductionId)
})

serveCommands({
  publish: () =>
    agent.publish({
      card,
      hide: ['/skills/1', '/skills/2', '/supportedInterfaces/1'],
      tiers: { '/skills/1': 'authenticated', '/skills/2': 'introduced', '/supportedInterfaces/1': 'introduced' },
    }),
  position: () => ({ seq: feed.seq, handles: feed.ended.size, audience }),
})
