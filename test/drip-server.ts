import { EventEmitter, once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// The signal of a fetch no longer ends the body once the request was garbage-collected, which otherwise depends on chance
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** A handler whose response has no end and arrives in single bytes, after each of which the garbage is collected. */
export function dripServer() {
  const events = new EventEmitter()
  const handle = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{')
    let bytes = 0
    const timer = setInterval(() => {
      response.write(' ')
      collectGarbage()
      if (++bytes === 5) events.emit('begun')
    }, 20)
    response.on('close', () => {
      clearInterval(timer)
      events.emit('closed')
    })
  }
  return { handle, begun: once(events, 'begun'), closed: once(events, 'closed') }
}
