// Spans with a real SDK of OpenTelemetry in this process.
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { context, propagation, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { listen } from '../../../src/http/listen.js'
import { systemClock } from '../../../src/lib/clock.js'
import { newGuardedFetch } from '../../../src/lib/guarded-fetch/guarded-fetch.js'
import { systemResolver } from '../../../src/lib/hosts/resolver.js'
import { silentLog } from '../../../src/lib/log.js'
import { type Registry, startRegistry } from '../../registry.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`
const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
let registry: Registry
beforeAll(async () => {
  provider.register()
  registry = await startRegistry({ servers: 1 })
})
beforeEach(() => exporter.reset())
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await provider.shutdown()
  trace.disable()
  context.disable()
  propagation.disable()
})

const spans = () =>
  exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    trace: span.spanContext().traceId,
    id: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId,
    attributes: span.attributes,
  }))
const named = (name: string) => spans().find((span) => span.name === name)

test('a request continues the trace of its traceparent, and its calls, read barriers and commits are children of its span', async () => {
  const acme = await registry.organisation('Acme')
  await acme.token()
  exporter.reset()
  await trace.getTracer('test').startActiveSpan('caller', async (span) => {
    await acme.mutate('agents.register', { name: 'tracer', ceiling: {} })
    span.end()
  })
  const all = spans()
  const request = named('HTTP /trpc/*')
  const call = named('tRPC agents.register')
  expect(all.map(({ trace: id }) => id)).toEqual(all.map(() => named('caller')?.trace))
  expect(request?.parent).toBe(named('caller')?.id)
  expect(call?.parent).toBe(request?.id)
  expect(named('commit')?.parent).toBe(call?.id)
  expect(all.filter(({ name, parent }) => name === 'read barrier' && parent === call?.id).length).toBeGreaterThan(0)
})

test('a span is named by the route, and holds neither the path, the query nor an id', async () => {
  await registry.fetch('/agents/agt_AAAAAAAAAAAAAAAAAAAAAA/secret?name=Olga', { headers: { traceparent: PARENT } })
  await registry.fetch('/log/entries?start=0')
  expect(named('HTTP none')).toMatchObject({ trace: TRACE, attributes: { 'http.response.status_code': 404 } })
  expect(named('HTTP /log/entries')?.trace).not.toBe(TRACE)
  expect(JSON.stringify(spans())).not.toMatch(/agt_|Olga|secret|start/)
})

test.each([
  ['a list of headers', `${PARENT}, ${PARENT}`],
  ['text', 'x'.repeat(5000)],
  ['another version', 'ff-00-00-00'],
])('a traceparent that is %s begins a new trace', async (_, traceparent) => {
  expect((await registry.fetch('/', { headers: { traceparent } })).status).toBe(200)
  expect(named('HTTP /')?.parent).toBeUndefined()
})

test('a read of the log that no request causes begins no trace', async () => {
  expect((await fetch(`http://127.0.0.1:${registry.servers[0]?.adminPort}/readyz`)).status).toBe(200)
  expect(spans()).toEqual([])
})

test('an outgoing request hands on the traceparent, and nothing else of the trace', async () => {
  let received: IncomingHttpHeaders = {}
  const server = createServer((request, response) => {
    received = request.headers
    response.setHeader('content-type', 'application/json').end('{}')
  })
  const port = await listen(server, '127.0.0.1', 0)
  const outgoing = { mode: 'public', allow: [] } as const
  const deps = {
    outgoing,
    issuer: registry.issuer,
    dev: true,
    resolver: systemResolver,
    clock: systemClock,
    log: silentLog,
    takeRate: () => undefined,
  }
  const baggage = propagation.createBaggage({ user: { value: 'Olga' } })
  await context.with(propagation.setBaggage(context.active(), baggage), () =>
    newGuardedFetch(deps)({ url: `http://127.0.0.1:${port}/card`, purpose: 'card' }),
  )
  server.close()
  const span = named('fetch card')
  expect(received.traceparent).toBe(`00-${span?.trace}-${span?.id}-01`)
  expect(received.baggage).toBeUndefined()
  expect(span?.attributes).toEqual({})
})
