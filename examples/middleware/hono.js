import { serve } from '@hono/node-server'
import { createVerifier, guardHono } from 'credence/verifier'
import { Hono } from 'hono'
import { ready, seen, thisAgent } from './this-agent.js'

const { issuer, audience, publicUrl, port, agent } = await thisAgent()
const app = new Hono()

// These lines adopt Credence:
const verifier = createVerifier({ issuer, audience, publicUrl, standing: await agent.subscribe() })
app.use('/a2a', guardHono(verifier, { scope: 'ocr:read' }))

app.post('/a2a', async (c) => c.json(seen(c.get('credence'), await c.req.text())))

serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, (info) => ready(info.port))
