import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createVerifier, guard } from 'credence/verifier'
import { ready, seen, thisAgent } from './this-agent.js'

const { issuer, audience, publicUrl, port, agent } = await thisAgent()

// These lines adopt Credence:
const verifier = createVerifier({ issuer, audience, publicUrl, standing: await agent.subscribe() })
const protect = guard(verifier, { scope: 'ocr:read' })
const server = createServer((request, response) => protect(request, response, () => handle(request, response)))

async function handle(request, response) {
  const body = await text(request)
  response.setHeader('content-type', 'application/json').end(JSON.stringify(seen(request.credence, body)))
}

server.listen(port, '127.0.0.1', () => ready(server.address().port))
