// A callee on Express 5.
import { createVerifier, guard } from 'credence/verifier'
import express from 'express'
import { answerTo } from './who.js'

export function start(options, port) {
  const app = express()
  app.use('/a2a', guard(createVerifier(options), { scope: 'ocr:read' }))
  app.post('/a2a', express.text({ type: '*/*' }), (request, response) => response.json(answerTo(request.credence, request.body)))
  return app.listen(port, '127.0.0.1')
}
