// The feed over a real log and real sockets; and the bare loop, which sends one prepared Buffer to each socket.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newEs256Signer } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newHub } from '../../dist/revocations/hub.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { newTrustLog } from '../../dist/trust-log/new-trust-log.js'
import { serveCalls } from '../lib/child.js'
import { startFeedServer } from '../lib/feed-server.js'

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
const { port, sockets } = await startFeedServer(newHub({ trustLog }))

const anEnding = () => ({
  type: 'token.revoked',
  ends: [{ handle: newHandle(systemRandom, 'tok'), horizon: systemClock.now() + 600 }],
  operations: [],
})
serveCalls(
  { port },
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
