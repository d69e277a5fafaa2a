// A callee on Hono 4; the same middleware runs on Deno, Bun and workers.
import { serve } from '@hono/node-server'
import { createVerifier, guardHono } from 'credence/verifier'
import { Hono } from 'hono'
import { answerTo } from './who.js'

export function start(options, port) {
  const app = new Hono()
  app.use('/a2a', guardHono(createVerifier(options), { scope: 'ocr:read' }))
  app.post('/a2a', async (c) => c.json(answerTo(c.get('credence'), await c.req.text())))
  return serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
}
