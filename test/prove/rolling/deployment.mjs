// Instances of `credence serve` that can be stopped and restarted, each with any build, behind a load balancer.
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnNode } from '../../child.mjs'
import { DIST } from '../mongo/instances.mjs'
import { freePort, pause } from '../tools.mjs'

/** The balancer checks at this interval whether each instance is ready. The grace period of an instance must be longer. */
const CHECK_MS = 100
export const GRACE_SECONDS = 1

/** Creates `count` instances without starting them. */
export async function newDeployment({ count, store }) {
  const folder = await mkdtemp(join(tmpdir(), 'credence-rolling-'))
  const config = join(folder, 'config.json')
  await writeFile(config, JSON.stringify({ graceSeconds: GRACE_SECONDS, witness: join(folder, 'witness.json'), store, logLevel: 'warn' }))
  const instances = []
  for (let i = 0; i < count; i++)
    instances.push(newInstance({ name: `${i}`, data: join(folder, `${i}`), config, port: await freePort(), adminPort: await freePort() }))
  const front = await openBalancer(instances)
  for (const instance of instances) instance.issuer = front.issuer
  return {
    issuer: front.issuer,
    instances,
    /** The balancer, usable like an instance. */
    front: { name: 'front', port: front.port },
    async close() {
      front.close()
      await Promise.all(instances.map((one) => one.end('SIGKILL')))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function newInstance({ name, data, config, port, adminPort }) {
  let child
  const instance = {
    name,
    port,
    issuer: undefined,
    log: '',
    isRunning: () => child !== undefined,
    isReady: () =>
      fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
        ({ ok }) => ok,
        () => false,
      ),
    /** Resolves when the instance serves, with its first code if it printed one. Rejects with its output if it exits. */
    async start(dist = DIST) {
      const args = ['serve', '--dev', '--config', config, '--data', data, '--issuer', instance.issuer]
      const started = spawnNode([join(dist, 'cli/main.js'), ...args, '--port', `${port}`, '--admin-port', `${adminPort}`], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      children.add(started)
      let [output, errors] = ['', '']
      started.stderr.on('data', (chunk) => {
        errors += chunk
        instance.log = (instance.log + chunk).slice(-50_000)
      })
      const exited = once(started, 'close').then(([code]) => {
        children.delete(started)
        if (child === started) child = undefined
        return code
      })
      const serving = new Promise((done) => {
        started.stdout.on('data', (chunk) => {
          output += chunk
          if (output.includes('serving')) done()
        })
      })
      const code = await Promise.race([serving, exited])
      if (code !== undefined) throw new Error(`instance ${name} ended with ${code}: ${errors.slice(0, 3000)}`)
      child = started
      return { firstCode: /^first code (\S+)/m.exec(output)?.[1] }
    },
    /** Returns the exit code, and how long the exit took. */
    async end(signal) {
      const ending = child
      if (ending === undefined) return undefined
      const [exited, startedAt] = [once(ending, 'exit'), performance.now()]
      ending.kill(signal)
      const [code] = await exited
      child = undefined
      return { code, ms: performance.now() - startedAt }
    },
  }
  return instance
}

/**
 * A load balancer: each connection goes to the next ready instance, or to the one after it if the connection is refused. A killed instance counts
 * as ready until the next check; its connections are refused, so they go to another one.
 */
async function openBalancer(instances) {
  let ready = []
  let turn = 0
  let isOver = false
  const open = new Set()
  const checkReadiness = async () => {
    while (!isOver) {
      const states = await Promise.all(instances.map((one) => one.isReady()))
      ready = instances.filter((_, i) => states[i])
      await pause(CHECK_MS)
    }
  }
  const connected = async () => {
    const order = ready.length > 0 ? ready : instances
    const first = turn++
    for (let i = 0; i < order.length; i++) {
      const onward = connect(order[(first + i) % order.length].port, '127.0.0.1')
      if (await once(onward, 'connect').then(Boolean, () => false)) return onward
    }
    return undefined
  }
  const server = createServer({ pauseOnConnect: true }, async (socket) => {
    socket.on('error', () => undefined)
    const onward = await connected()
    const drop = () => {
      open.delete(drop)
      socket.destroy()
      onward?.destroy()
    }
    if (onward === undefined || socket.destroyed) return drop()
    open.add(drop)
    for (const end of [socket, onward]) end.on('error', drop).on('close', drop)
    socket.pipe(onward).pipe(socket)
    socket.resume()
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  void checkReadiness()
  return {
    port,
    issuer: `http://127.0.0.1:${port}`,
    close: () => {
      isOver = true
      for (const drop of open) drop()
      server.close()
    },
  }
}
