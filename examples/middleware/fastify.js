import { createVerifier, guardFastify } from 'credence/verifier'
import { fastify } from 'fastify'
import { ready, seen, thisAgent } from './this-agent.js'

const { issuer, audience, publicUrl, port, agent } = await thisAgent()
const app = fastify()

// These lines adopt Credence for all routes of this instance (for one route: `app.post(path, { onRequest: guardFastify(…) }, handler)`):
const verifier = createVerifier({ issuer, audience, publicUrl, standing: await agent.subscribe() })
app.addHook('onRequest', guardFastify(verifier, { scope: 'ocr:read' }))

app.post('/a2a', async (request) => seen(request.credence, request.body))

await app.listen({ host: '127.0.0.1', port })
ready(app.server.address().port)
