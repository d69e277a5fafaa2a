// Which address an interface needs depends on its binding (A2A §5.6): a card may list interfaces that this library cannot call.

interface Interface {
  readonly url: string
  readonly protocolBinding: string
}

/** The bindings that `fetchAs` and the guards speak. */
const HTTP_BINDINGS: ReadonlySet<string> = new Set(['JSONRPC', 'HTTP+JSON'])
export const isHttpBinding = ({ protocolBinding }: Interface): boolean => HTTP_BINDINGS.has(protocolBinding)

/** An absolute http or https URL, without characters that URL parsers read differently. */
export const isWebUrl = (text: string): boolean => /^https?:\/\/[^\s\\{}]+$/i.test(text) && URL.canParse(text)

/**
 * The URL of an interface, or undefined if its address does not fit its binding. `JSONRPC` and `HTTP+JSON` need an http or https URL. `GRPC`
 * needs `host:port`, which is returned as an https URL, or an https URL. Another binding needs an absolute URI.
 */
export function urlOfInterface(one: Interface): URL | undefined {
  if (isHttpBinding(one)) return isWebUrl(one.url) ? new URL(one.url) : undefined
  if (one.protocolBinding !== 'GRPC') return URL.canParse(one.url) ? new URL(one.url) : undefined
  const text = HOST_AND_PORT.test(one.url) ? `https://${one.url}` : one.url
  return isWebUrl(text) ? new URL(text) : undefined
}

/** `agent.example:443`, `192.0.2.1:443`, `[2001:db8::1]:443`. */
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^\s/\\?#@:[\]]+):[0-9]{1,5}$/

/** What is wrong with the address of an interface, for its binding. */
export function interfaceFault(one: Interface): string | undefined {
  if (urlOfInterface(one) !== undefined) return undefined
  if (isHttpBinding(one)) return `the binding ${one.protocolBinding} needs an absolute http or https URL`
  return one.protocolBinding === 'GRPC' ? 'the binding GRPC needs host:port or an https URL' : 'it is not an absolute URI'
}
