import { createVerifier, guard } from 'credence/verifier'
import express from 'express'
import { ready, seen, thisAgent } from './this-agent.js'

const { issuer, audience, publicUrl, port, agent } = await thisAgent()
const app = express()

// These lines adopt Credence:
const verifier = createVerifier({ issuer, audience, publicUrl, standing: await agent.subscribe() })
app.use('/a2a', guard(verifier, { scope: 'ocr:read' }))

app.post('/a2a', express.text(), (request, response) => {
  response.json(seen(request.credence, request.body))
})

const server = app.listen(port, '127.0.0.1', () => ready(server.address().port))
