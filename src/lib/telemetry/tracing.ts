// Spans of OpenTelemetry. Without an SDK in the process, the API does nothing. Attributes hold no id, name or text of a caller.
import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'

const tracer = trace.getTracer('credence')

/** Runs `work` in a span, as a child of the current one. A span of work that throws has the status ERROR, without the text of the error. */
export function inSpan<T>(
  name: string,
  work: (span: Span) => Promise<T>,
  attributes: Attributes = {},
  kind = SpanKind.INTERNAL,
): Promise<T> {
  return tracer.startActiveSpan(name, { kind, attributes }, async (span) => {
    try {
      return await work(span)
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  })
}

/** Like `inSpan`, but only within another span: background work would begin a trace each time. */
export const inChildSpan = <T>(name: string, work: () => Promise<T>): Promise<T> =>
  trace.getActiveSpan() === undefined ? work() : inSpan(name, work)

/** The span of an incoming request: a child of the span that `traceparent` names, or the first of a trace. */
export function inRequestSpan<T>(name: string, traceparent: unknown, work: (span: Span) => Promise<T>): Promise<T> {
  const run = () => inSpan(name, work, {}, SpanKind.SERVER)
  return typeof traceparent === 'string' ? context.with(propagation.extract(context.active(), { traceparent }), run) : run()
}

/** Completes the span of a request. */
export function setResponse(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status)
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
}

/** Runs an outgoing request in a span. */
export const inClientSpan = <T>(name: string, work: () => Promise<T>, attributes: Attributes = {}): Promise<T> =>
  inSpan(name, work, attributes, SpanKind.CLIENT)

/** The header that continues the current trace in another process. Only `traceparent`: other fields of a trace may hold data of callers. */
export function traceHeaders(): { readonly traceparent?: string } {
  const carrier: { traceparent?: string } = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent === undefined ? {} : { traceparent: carrier.traceparent }
}
