// The feed over a real log and real sockets, without authentication; and the bare loop, which sends one prepared Buffer to each socket.
import { setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { newEs256Signer } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { serveFeed } from '../../dist/revocations/feed-socket.js'
import { newHub } from '../../dist/revocations/hub.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { newTrustLog } from '../../dist/trust-log/new-trust-log.js'
import { serveCalls } from '../lib/child.js'

const folder = mkdtempSync(join(tmpdir(), 'credence-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const storage = await openSqlite({ file: join(folder, 'store.db'), clock: systemClock })
const signer = await newEs256Signer()
const trustLog = newTrustLog({
  storage,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  writer: 'bench',
  origin: 'bench',
  logSigner: async () => signer,
})
await trustLog.start()
const hub = newHub({ trustLog })
const forever = new AbortController().signal
setMaxListeners(0, forever)
const onBug = (error) => console.error(error)
const caller = { id: 'bench', scopes: ['revocations:read'], dependencies: { handles: [], expiresAt: systemClock.now() + 36_000 } }
const server = createServer()
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', (ws) =>
  serveFeed(
    { hub, clock: systemClock, issuer: 'bench', revocationSignal: () => forever, authenticateToken: async () => caller, onBug },
    ws,
    caller,
  ),
)
await new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, resolve))

const anEnding = () => ({
  type: 'token.revoked',
  ends: [{ handle: newHandle(systemRandom, 'tok'), horizon: systemClock.now() + 600 }],
  operations: [],
})
serveCalls(
  { port: server.address().port },
  {
    sockets: () => sockets.clients.size,
    end: async (count) => {
      await Promise.all(Array.from({ length: count }, () => trustLog.end(anEnding())))
    },
    bare: (bytes) => {
      const frame = Buffer.alloc(bytes, 'x')
      for (const ws of sockets.clients) ws.send(frame, { binary: false })
    },
  },
)
