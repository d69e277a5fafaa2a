// A callee on Fastify 5.
import { createVerifier, guardFastify } from 'credence/verifier'
import { fastify } from 'fastify'
import { answerTo } from './who.js'

export function start(options, port) {
  const app = fastify()
  app.addHook('onRequest', guardFastify(createVerifier(options), { scope: 'ocr:read' }))
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.post('/a2a', (request) => answerTo(request.credence, request.body))
  app.listen({ port, host: '127.0.0.1' })
  return app.server
}
