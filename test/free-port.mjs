import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that an operating system gives away unasked: what is started anew under its port must not meet somebody's connection there. */
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
