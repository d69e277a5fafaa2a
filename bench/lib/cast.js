// The actors of benchmarks and proofs: an operator, an organisation and agents, which use only the public API.
import { confirmAgent, createAgent, joinRegistry, newEs256Signer } from 'credence/client'

export async function newCast({ issuer, firstCode }) {
  const join = async (code, name) => {
    const signer = await newEs256Signer()
    const { memberId, orgId } = await joinRegistry({ issuer, code, name, signer })
    return { ...createAgent({ issuer, clientId: memberId, signer }), signer, orgId }
  }
  const operator = await join(firstCode, 'operator')
  const { orgId } = await operator.mutate('organisations.create', { name: 'Bench' })
  const { code } = await operator.mutate('members.invite', { orgId, role: 'administrator' })
  const admin = await join(code, 'administrator')
  return {
    admin,
    async agent(name, { ceiling = {}, introductionPolicy = { mode: 'open' }, ...options } = {}) {
      const { agentId, registrationToken, audience } = await admin.mutate('agents.register', { name, ceiling, introductionPolicy })
      const signer = await newEs256Signer()
      await confirmAgent({ issuer, agentId, registrationToken, signer })
      return { ...createAgent({ issuer, clientId: agentId, signer, ...options }), signer, agentId, audience }
    },
  }
}

export const aCard = (issuer) => ({
  name: 'Ocelot OCR',
  description: 'Reads scanned documents.',
  version: '1.0.0',
  supportedInterfaces: [{ url: 'http://127.0.0.1:9/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: {},
  securitySchemes: {
    credence: {
      oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: `${issuer}/oauth/token`, scopes: { 'ocr:read': 'read a page' } } } },
    },
  },
  securityRequirements: [{ schemes: { credence: { list: ['ocr:read'] } } }],
  defaultInputModes: ['image/png'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 'read-page', name: 'Read a page', description: 'Text of one scanned page.', tags: ['ocr', 'scan'] }],
})

/** Registers a planner that may call an OCR agent, and introduces it. */
export async function aPair(cast, issuer, options = {}) {
  const ocr = await cast.agent('ocr', options)
  await ocr.publish({ card: aCard(issuer) })
  const planner = await cast.agent('planner', { ...options, ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
  await planner.introduce({ to: ocr.agentId, purpose: 'bench', scopes: ['ocr:read'] })
  return { ocr, planner }
}
