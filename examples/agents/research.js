// Finds sources and has the OCR agent read them on behalf of the caller: it exchanges the caller's token, which allows delegation.
import { a2aClient, ask, serveCommands, startAgent } from './a2a-agent.js'

/** The OCR agent, set by the command `meet`. */
let peer

const { agent, feed, url } = await startAgent({
  scope: 'research:ask',
  work: async ({ text, verified, agent }) => {
    const delegated = { audience: peer.audience, scope: 'ocr:read', subjectToken: verified.accessToken }
    const ocr = await a2aClient(agent, delegated, peer.endpoint)
    return `research: ${(await ask(ocr, text)).text}`
  },
})

agent.introductions.watch(async ({ kind, introductionId }) => {
  if (kind === 'requested') await agent.introductions.approve(introductionId)
})

serveCommands({
  publish: () =>
    agent.publish({
      card: {
        name: 'Lynx Research',
        description: 'Finds and reads sources.',
        version: '1.0.0',
        supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
        capabilities: { streaming: true },
        securitySchemes: {
          credence: {
            oauth2SecurityScheme: {
              flows: { clientCredentials: { tokenUrl: `${agent.issuer}/oauth/token`, scopes: { 'research:ask': 'ask a question' } } },
              oauth2MetadataUrl: `${agent.issuer}/.well-known/oauth-authorization-server`,
            },
          },
        },
        securityRequirements: [{ schemes: { credence: { list: ['research:ask'] } } }],
        defaultInputModes: ['text/plain'],
        defaultOutputModes: ['text/plain'],
        skills: [{ id: 'find-sources', name: 'Find sources', description: 'Finds sources for a question.', tags: ['research'] }],
      },
    }),
  meet: async ({ agentId, audience, endpoint }) => {
    peer = { audience, endpoint }
    return agent.introduce({ to: agentId, purpose: 'read what I find', scopes: ['ocr:read'] })
  },
  passOn: ({ subjectToken }) => agent.exchange({ audience: peer.audience, scope: 'ocr:read', subjectToken }),
  position: () => ({ seq: feed.seq, handles: feed.ended.size }),
})
