// Starts several `credence serve` over one database, behind one address that balances over the running ones.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { spawnNode } from '../../child.mjs'
import { programFile } from '../../program.mjs'
import { freePort } from '../tools.mjs'

export const DIST = resolve(import.meta.dirname, '../../../dist')

/** `dist`: a copy of the built program with a planted fault. */
export async function startInstances({ count, store, dist }) {
  const folder = await mkdtemp(join(tmpdir(), 'credence-instances-'))
  const front = await openFront()
  const issuer = `http://127.0.0.1:${front.port}`
  const instances = []
  for (let i = 0; i < count; i++) {
    const port = await freePort()
    const args = [
      dist === undefined ? programFile() : join(dist, 'cli/main.js'),
      'serve',
      '--dev',
      '--issuer',
      issuer,
      '--port',
      `${port}`,
      '--admin-port',
      '0',
    ]
    instances.push(
      newInstance({
        name: `${i}`,
        port,
        args: [
          ...args,
          '--data',
          join(folder, `${i}`),
          '--witness',
          join(folder, 'witness.json'),
          '--store',
          store,
          '--log-level',
          'error',
        ],
      }),
    )
  }
  // One after another: only the first code of the last start is valid
  let firstCode
  for (const instance of instances) firstCode = (await startWithRetries(instance)).firstCode ?? firstCode
  front.route(() => instances.filter((one) => one.pid() !== undefined).map(({ port }) => port))
  return {
    issuer,
    firstCode,
    instances,
    pids: () => instances.map((one) => one.pid()).filter((pid) => pid !== undefined),
    async stop() {
      front.close()
      await Promise.all(instances.map((one) => one.kill()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts an instance, and tries again while the database is unreachable, as a supervisor would. */
export async function startWithRetries(instance) {
  for (const until = performance.now() + 60_000; ; await new Promise((done) => setTimeout(done, 300))) {
    try {
      return await instance.start()
    } catch (error) {
      if (performance.now() > until || !/MongoServerSelection|unavailable|NetworkTimeout/.test(error.message)) throw error
    }
  }
}

const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function newInstance({ name, port, args }) {
  let child
  let log = ''
  return {
    name,
    port,
    pid: () => child?.pid,
    log: () => log,
    async start() {
      const started = spawnNode(args, { stdio: ['ignore', 'pipe', 'pipe'] })
      children.add(started)
      let text = ''
      started.stderr.on('data', (chunk) => {
        log = (log + chunk).slice(-50_000)
      })
      await new Promise((done, fail) => {
        started.once('exit', (code) => fail(new Error(`an instance ended with ${code}: ${log.slice(0, 3000)}`)))
        started.stdout.on('data', (chunk) => {
          text += chunk
          if (text.includes('serving')) done()
        })
      })
      started.removeAllListeners('exit')
      started.once('exit', () => {
        children.delete(started)
        if (child === started) child = undefined
      })
      child = started
      return { firstCode: /^first code (\S+)/m.exec(text)?.[1] }
    },
    async kill(signal = 'SIGKILL') {
      const ending = child
      child = undefined
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
      const exited = once(ending, 'exit')
      ending.kill(signal)
      await exited
    },
  }
}

/** A load balancer: each connection goes to the next running instance. */
async function openFront() {
  let portsNow = () => []
  let turn = 0
  const open = new Set()
  const server = createServer((socket) => {
    const ports = portsNow()
    const onward = connect(ports[turn++ % ports.length] ?? 1, '127.0.0.1')
    const drop = () => {
      open.delete(drop)
      socket.destroy()
      onward.destroy()
    }
    open.add(drop)
    for (const end of [socket, onward]) end.on('error', drop).on('close', drop)
    socket.pipe(onward).pipe(socket)
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: server.address().port,
    route: (ports) => {
      portsNow = ports
    },
    close: () => {
      for (const drop of open) drop()
      server.close()
    },
  }
}
