// The feed over a real log and real sockets; and the bare loop, which sends one prepared Buffer to each socket.
import { newHub } from '../../dist/revocations/hub.js'
import { serveCalls } from '../lib/child.js'
import { startFeedServer } from '../lib/feed-server.js'
import { endHandles, openTrustLog } from '../lib/open-log.js'

const trustLog = await openTrustLog()
const { port, sockets } = await startFeedServer(newHub({ trustLog }))

serveCalls(
  { port },
  {
    sockets: () => sockets.clients.size,
    end: async (count) => {
      await Promise.all(Array.from({ length: count }, () => endHandles(trustLog, 1, 600)))
    },
    /** Appends entries with this number of endings each. */
    endMany: async ({ entries, endings }) => {
      for (let i = 0; i < entries; i++) await endHandles(trustLog, endings, 86_400)
    },
    bare: (bytes) => {
      const frame = Buffer.alloc(bytes, 'x')
      for (const ws of sockets.clients) ws.send(frame, { binary: false })
    },
  },
)
