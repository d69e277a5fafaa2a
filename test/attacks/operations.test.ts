import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { attack, attackSetup } from './attack.js'

const setup = attackSetup({ servers: 1 })
const ROOT = join(import.meta.dirname, '../..')
const ports = () => {
  const [server] = setup.registry.servers
  if (!server) throw new Error('no server runs')
  return server
}
const metrics = async () => (await fetch(`http://127.0.0.1:${ports().adminPort}/metrics`)).text()

/** Sends raw bytes and returns what the server sends until `isEnough`, or until it closes the connection. */
async function exchange(port: number, bytes: string | Uint8Array, isEnough: (received: string) => boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (data) => {
    received += data.toString('latin1')
    if (isEnough(received)) socket.destroy()
  })
  socket.on('error', () => socket.destroy())
  const closed = once(socket, 'close')
  socket.write(bytes)
  await closed
  return received
}

const CALLS_PER_BATCH = 10
const floodWithNames = async () => {
  const marker = 'zqx'
  const get = (path: string, last: boolean) => `GET ${path} HTTP/1.1\r\nHost: ${marker}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
  const pipelined = async (paths: readonly string[]) => {
    const answer = await exchange(ports().port, paths.map((path, i) => get(path, i === paths.length - 1)).join(''), () => false)
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)?.length).toBe(paths.length)
  }
  const paths = Array.from(
    { length: 4000 },
    (_, i) => [`/${marker}${i}`, `/agents/${marker}${i}/x`, `/oauth/${marker}?e=${i}`][i % 3] ?? '',
  )
  for (let i = 0; i < paths.length; i += 2000) await pipelined(paths.slice(i, i + 2000))
  for (let i = 0; i < 9600; i += 20)
    await pipelined(
      Array.from({ length: 20 }, (_, k) => `/trpc/${Array.from({ length: CALLS_PER_BATCH }, (_, j) => `${marker}${i + k}.${j}`)}?batch=1`),
    )
  const agent = await setup.registry.agent({ name: `${marker} agent` })
  await agent.query('discovery.search', { text: marker })
  const text = await metrics()
  expect(text).not.toContain(marker)
  expect(text).toMatch(/^credence_http_requests_total\{endpoint="none",outcome="refused"\} 4\d{3}$/m)
  expect(text.length).toBeLessThan(2_000_000)
  expect(text.length).toBeLessThan(300_000)
}
attack('AUD-04', '100,000 names, paths and errors of callers add no label value and keep /metrics small', setup, floodWithNames, {
  timeoutMs: 120_000,
})

const HEADERS_FRAME = [0, 0, 4, 1, 5, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]
const WINDOW_UPDATE = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]
const PREFACE = [...Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 0, 0, 0, 4, 0, 0, 0, 0, 0]
/** A TLS ClientHello whose server name is 300 bytes of 0xff. */
const CLIENT_HELLO = [0x16, 3, 1, 1, 0x40, 1, 0, 1, 0x3c, 3, 3, ...Array<number>(310).fill(0xff)]
const upgrade = (key: string) =>
  `GET /revocations HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
const MALFORMED: readonly (readonly [string, string | readonly number[]])[] = [
  ['an HTTP/2 preface with a malformed HEADERS frame', [...PREFACE, ...HEADERS_FRAME]],
  ['an HTTP/2 WINDOW_UPDATE past the maximum on stream 0', [...PREFACE, ...WINDOW_UPDATE]],
  ['a TLS ClientHello with an odd server name', CLIENT_HELLO],
  ['no method', '\0\0\0\0\r\n\r\n'],
  ['a method that does not exist', 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['another version', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['NUL in a header', 'GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n'],
  ['a header name with a space', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
  [
    'both Content-Length and Transfer-Encoding',
    'POST /trpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['two Content-Lengths', 'POST /trpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc'],
  ['a negative Content-Length', 'POST /trpc/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
  ['a chunk size that is no number', 'POST /trpc/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n'],
  ['a chunk size past 64 bits', 'POST /trpc/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n'],
  ['headers of 100 KB', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(100_000)}\r\n\r\n`],
  ['a WebSocket handshake with a bad key', upgrade('x')],
  ['a WebSocket handshake followed by a reserved frame', `${upgrade('dGhlIHNhbXBsZSBub25jZQ==')}\xff\xff\xff\xff`],
]
attack(
  'NOD-10',
  'malformed HTTP, HTTP/2 and TLS on both ports get an error or a closed connection, and the process lives',
  setup,
  async () => {
    for (const [what, bytes] of MALFORMED)
      for (const port of [ports().port, ports().adminPort]) {
        const sent = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Uint8Array.from(bytes)
        const answer = await exchange(port, sent, (received) => received.includes('\r\n\r\n'))
        expect(answer, what).toMatch(/^(HTTP\/1\.1 (4\d\d|505) |$)/)
      }
    expect((await fetch(`http://127.0.0.1:${ports().adminPort}/readyz`)).status).toBe(200)
  },
  { writes: false },
)

interface Locked {
  readonly hasInstallScript?: boolean
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
}

test('NOD-13 no package has an install script except two that work without it, and each is fixed by a digest', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
  const locked = Object.entries(packages).filter(([path]) => path !== '')
  const withScripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  expect(locked.length).toBeGreaterThan(100)
  // Both ship their binaries as files or as optional packages: `npm ci --ignore-scripts` is enough
  expect(withScripts.filter((path) => !/^node_modules\/(@photostructure\/sqlite|esbuild|fsevents)$/.test(path))).toEqual([])
  expect(locked.filter(([, { integrity, link }]) => link || !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([])
})

test('NOD-13 every dependency has an exact version, so an installation without the lockfile does not take a newer one', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, Record<string, string>>
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
  expect(versions.length).toBeGreaterThan(20)
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  expect(Object.keys(manifest.scripts ?? {}).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
})
