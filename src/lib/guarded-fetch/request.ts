import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { concatBytes } from '../bytes.js'

interface PinnedRequest {
  readonly url: URL
  /** The only addresses that the request may connect to. */
  readonly addresses: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  /** Sent by POST. Default: a GET request. */
  readonly body?: string | undefined
  readonly maxBytes: number
  /** True if any response will do: then its body is not read. */
  readonly anyStatus?: boolean | undefined
  /** True if any status 2xx will do: then the body is not read. */
  readonly anySuccess?: boolean | undefined
  /** Certificate authorities. Default: those of Node. */
  readonly ca?: string | undefined
  /** Closes the connection, also after a response whose body was not read. The caller must abort it in the end. */
  readonly signal: AbortSignal
  /** Called once the connection is open, with TLS if the URL is https. */
  readonly onConnected: () => void
}

/** A response with status 200, or the target of a redirect. */
type PinnedResponse =
  | { readonly body: Uint8Array; readonly contentType: string; readonly cacheControl: string }
  | { readonly location: string }

const REDIRECTS: ReadonlySet<number | undefined> = new Set([301, 302, 303, 307, 308])

/**
 * Sends one request to one of the given addresses; the host of the URL is the name that TLS verifies. Throws for every response that is
 * neither 200 nor a redirect, is encoded, or is larger than `maxBytes`. No cookie, proxy or shared connection is used.
 */
export async function requestPinned(pinned: PinnedRequest): Promise<PinnedResponse> {
  const response = await responseTo(pinned)
  const { statusCode: status, headers } = response
  const isSuccess = status !== undefined && status >= 200 && status < 300
  if (pinned.anyStatus || (pinned.anySuccess && isSuccess)) return { body: new Uint8Array(), contentType: '', cacheControl: '' }
  if (REDIRECTS.has(status) && headers.location !== undefined) return { location: headers.location }
  if (status !== 200) throw new Error(`the status is ${status}`)
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new Error('the response is encoded')
  return {
    body: await bodyOf(response, pinned.maxBytes),
    contentType: headers['content-type'] ?? '',
    cacheControl: headers['cache-control'] ?? '',
  }
}

function responseTo({ url, addresses, headers, body, ca, signal, onConnected }: PinnedRequest): Promise<IncomingMessage> {
  const isTls = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const options = {
    ...(body !== undefined && { method: 'POST' }),
    agent: false,
    maxHeaderSize: 16_384,
    lookup: lookUpIn(addresses),
    headers: {
      ...headers,
      'accept-encoding': 'identity',
      ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    },
    signal,
    ...(isTls && { servername: isIP(host) ? '' : host.replace(/\.$/, ''), ...(ca !== undefined && { ca }) }),
  }
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(url, options, resolve)
    request.on('error', reject)
    request.on('socket', (socket: TLSSocket) => socket.once(isTls ? 'secureConnect' : 'connect', onConnected))
    request.end(body)
  })
}

/** Answers every look-up with the checked addresses, so that a second answer of DNS cannot replace them. */
const lookUpIn =
  (addresses: readonly string[]): LookupFunction =>
  (_hostname, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }))
    if (options.all) return callback(null, found)
    return callback(null, found[0]?.address ?? '', found[0]?.family)
  }

/** Reads the body; stops as soon as it is larger than `maxBytes`. */
async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`the response is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return concatBytes(...chunks)
}
