// A callee on node:http alone.
import { createServer } from 'node:http'
import { createVerifier, guard } from 'credence/verifier'
import { answerTo } from './who.js'

export function start(options, port) {
  const protect = guard(createVerifier(options), { scope: 'ocr:read' })
  const server = createServer((request, response) =>
    protect(request, response, async () => response.end(JSON.stringify(answerTo(request.credence, await textOf(request))))),
  )
  return server.listen(port, '127.0.0.1')
}

async function textOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}
