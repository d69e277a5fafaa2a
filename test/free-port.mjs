import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** The range lies below the ephemeral ports, so that a server can be restarted on its port. */
const PORTS = [12_000, 32_000]

/** A port for a server whose address is named before it listens. */
export async function freePort() {
  for (;;) {
    const port = randomInt(...PORTS)
    const listener = createServer().listen(port, '127.0.0.1')
    const isFree = await once(listener, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    listener.close()
    await once(listener, 'close')
    return port
  }
}
