// Several `credence serve` over one database, and one address before them that goes to whichever is there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '../tools.mjs'

export const DIST = resolve(import.meta.dirname, '../../../dist')

/** `dist`: the built program; another one than ours where a fault is planted in it. */
export async function startInstances({ count, store, dist = DIST }) {
  const folder = await mkdtemp(join(tmpdir(), 'credence-instances-'))
  const front = await openFront()
  const issuer = `http://127.0.0.1:${front.port}`
  const instances = []
  for (let i = 0; i < count; i++) {
    const port = await freePort()
    const args = [join(dist, 'cli/main.js'), 'serve', '--dev', '--issuer', issuer, '--port', `${port}`, '--admin-port', '0']
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
  // One after the other: the last one's code is the one that is good
  let firstCode
  for (const instance of instances) firstCode = (await startedAtLast(instance)).firstCode ?? firstCode
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

/** An instance that cannot start while the database is away is started again, as any supervisor does. */
export async function startedAtLast(instance) {
  for (const until = performance.now() + 60_000; ; await new Promise((done) => setTimeout(done, 300))) {
    try {
      return await instance.start()
    } catch (error) {
      if (performance.now() > until || !/MongoServerSelection|unavailable|NetworkTimeout/.test(error.message)) throw error
    }
  }
}

const alive = new Set()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
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
      const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      alive.add(started)
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
        alive.delete(started)
        if (child === started) child = undefined
      })
      child = started
      return { firstCode: /^first code (\S+)/m.exec(text)?.[1] }
    },
    async kill(signal = 'SIGKILL') {
      const ending = child
      child = undefined
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
      const over = once(ending, 'exit')
      ending.kill(signal)
      await over
    },
  }
}

/** What a load balancer does: each connection to the next instance that is there. */
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
