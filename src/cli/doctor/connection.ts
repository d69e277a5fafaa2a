// Checks of the way to a registry: its name, its certificate, and whether a WebSocket handshake arrives. They send nothing secret.
import { lookup } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import type { Clock } from '../../lib/clock.js'
import { systemRandom } from '../../lib/random.js'
import { withTimeout } from '../../lib/timeout.js'
import { FEED_PROTOCOL } from '../../protocol/log/feed.js'
import { type Check, duration, fail, messageOf, ok, warn } from './check.js'

const TIMEOUT_MS = 5000
const DAY_SECONDS = 86_400
/** Certificates of ACME are renewed 30 days before they expire. */
const WARN_SECONDS = 14 * DAY_SECONDS

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')

export async function checkDns(url: URL): Promise<Check> {
  const host = hostOf(url)
  if (isIP(host) !== 0) return ok('dns', `${host} is an address`)
  const addresses = await lookup(host, { all: true }).catch(messageOf)
  return typeof addresses === 'string'
    ? fail('dns', `${host} has no address: ${addresses}`, `Create an A or AAAA record for ${host}, or correct the URL.`)
    : ok('dns', `${host} is ${addresses.map(({ address }) => address).join(', ')}`)
}

/** Checks the certificate as a client does, and when the first of its chain expires. */
export async function checkTls(clock: Clock, url: URL): Promise<Check> {
  if (url.protocol !== 'https:') return ok('tls', 'http on loopback: not encrypted')
  const socket = await tlsSocket(clock, url)
  try {
    const { until, name, length } = firstToExpire(socket)
    const chain = `${socket.getProtocol() ?? ''}, chain of ${length}, valid until ${until}`
    if (!socket.authorized)
      return fail(
        'tls',
        `the certificate is not accepted: ${String(socket.authorizationError)} (${chain})`,
        TLS_TODO[String(socket.authorizationError)] ?? 'Install a certificate for this name with its whole chain at the proxy.',
      )
    const left = Date.parse(until) / 1000 - clock.now()
    if (left <= 0) return fail('tls', `${name} has expired by the clock of this machine (${chain})`, 'Renew it, or correct the clock.')
    return left < WARN_SECONDS
      ? warn('tls', `${name} expires in ${duration(left)} (${chain})`, 'Renew it, and check the automatic renewal of the proxy.')
      : ok('tls', chain)
  } finally {
    socket.destroy()
  }
}

/** The certificate that expires first, of those from that of the server up to the root, and how many they are. */
function firstToExpire(socket: TLSSocket): { readonly until: string; readonly name: string; readonly length: number } {
  const chain: DetailedPeerCertificate[] = []
  // A root is its own issuer
  for (let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true); next && !chain.includes(next); )
    next = chain[chain.push(next) - 1]?.issuerCertificate
  const [server] = chain
  const [first] = chain.toSorted((a, b) => Date.parse(a.valid_to) - Date.parse(b.valid_to))
  const name = first === server ? 'the certificate' : `the certificate ${String(first?.subject.CN ?? first?.subject.O)} of its chain`
  return { until: first?.valid_to ?? '', name, length: chain.length }
}

const TLS_TODO: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Renew the certificate, and check the automatic renewal of the proxy.',
  CERT_NOT_YET_VALID: 'Check the clocks of this machine and of the one that made the certificate.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Send the intermediate certificates too. For a private authority, set NODE_EXTRA_CA_CERTS.',
  SELF_SIGNED_CERT_IN_CHAIN: 'For a private authority, set NODE_EXTRA_CA_CERTS on every machine that uses the registry.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'Use a certificate of an authority. For a private one, set NODE_EXTRA_CA_CERTS.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Get a certificate for the host name of the issuer.',
}

/** The connection is kept if the certificate is wrong, so that the check can say why. No data is sent on it. */
const tlsSocket = (clock: Clock, url: URL): Promise<TLSSocket> => {
  const host = hostOf(url)
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = connect({ host, port: Number(url.port || 443), ...servername, rejectUnauthorized: false, minVersion: 'TLSv1.2' })
  const connected = new Promise<TLSSocket>((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
  })
  connected.catch(() => undefined)
  return withTimeout(clock, TIMEOUT_MS, 'the TLS handshake', connected).catch((error: unknown) => {
    socket.destroy()
    throw error
  })
}

const PROXY_TODO =
  'Let the proxy pass the headers Connection, Upgrade and Sec-WebSocket-* of /revocations and /trpc (nginx: proxy_http_version 1.1 and both headers).'

/** Sends the handshake of the revocation feed without a token. The registry refuses it with 401, so an upgrade that got lost is seen. */
export async function checkUpgrade(clock: Clock, url: URL): Promise<Check> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.from(systemRandom.token(16), 'base64url').toString('base64'),
    'sec-websocket-protocol': FEED_PROTOCOL,
  }
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send(new URL('/revocations', url), { headers })
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject)
    // After an upgrade the request does not destroy its socket
    request.once('upgrade', (message, socket) => {
      socket.destroy()
      resolve(message)
    })
    request.end()
  })
  response.catch(() => undefined)
  try {
    const { statusCode, headers: answered } = await withTimeout(clock, TIMEOUT_MS, 'the WebSocket handshake', response)
    return statusCode === 401 && String(answered['www-authenticate']).startsWith('DPoP')
      ? ok('websocket', 'a handshake reaches the registry')
      : fail('websocket', `the handshake of /revocations got status ${statusCode}: a proxy has dropped the upgrade`, PROXY_TODO)
  } catch (error) {
    return fail('websocket', `the handshake of /revocations got no response: ${messageOf(error)}`, PROXY_TODO)
  } finally {
    request.destroy()
  }
}
