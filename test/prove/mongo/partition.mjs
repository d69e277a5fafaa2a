// A TCP proxy before each member of a replica set, which knows who calls: so a network that falls apart can be played on one machine.
// Whose socket it is stands in /proc (Linux): the ports of the connection, its inode at the calling end, and the process that has it open.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'

const LOOK_MS = 100

/** The sides of a network that fell apart, by process id; who is on none reaches everybody. `callers()`: the processes that may be on one. */
export function newNetwork(callers) {
  const links = new Set()
  let sides = []
  let breaks = () => false
  const sideOf = (pid) => sides.findIndex((side) => side.has(pid))
  const waiting = new Set()
  const muted = new Set()
  /** Whoever called is looked up once, when it matters, and many together: it takes a while. What is cut falls silent, as packets that are lost do. */
  const cutAcross = (some) => {
    const ownerOf = newOwners(callers())
    for (const link of some) {
      link.from ??= ownerOf(link.socket)
      const [a, b] = [sideOf(link.from), sideOf(link.to())]
      if (a === -1 || b === -1 || a === b) link.speak()
      else if (breaks(link)) link.drop()
      else {
        link.mute()
        muted.add(link)
      }
    }
  }
  const admit = (link) => {
    if (sides.length === 0) return link.speak()
    if (waiting.size === 0)
      setTimeout(() => {
        const some = [...waiting]
        waiting.clear()
        cutAcross(some)
      }, LOOK_MS)
    waiting.add(link)
  }
  return {
    /** Nothing passes between two of these groups of process ids, from now on and on what is open. */
    split(...groups) {
      sides = groups.map((pids) => new Set(pids))
      // Between members it breaks, and is refused: else they would wait ten seconds for an oplog that they followed before their side goes on
      const members = new Set([...links].map((link) => link.to()))
      breaks = (link) => members.has(link.from)
      cutAcross([...links])
    },
    heal() {
      sides = []
      for (const link of muted) link.drop()
      muted.clear()
    },
    /** A port before `to.port()`, the port of process `to.pid()`. */
    async proxy(to) {
      const server = createServer((socket) => {
        const onward = connect(to.port(), '127.0.0.1')
        const drop = () => {
          for (const set of [links, waiting, muted]) set.delete(link)
          socket.destroy()
          onward.destroy()
        }
        let speaks = false
        const link = {
          socket,
          from: undefined,
          to: () => to.pid(),
          drop,
          speak() {
            if (!speaks && !socket.destroyed) socket.pipe(onward).pipe(socket)
            speaks = true
          },
          mute() {
            for (const [one, other] of [
              [socket, onward],
              [onward, socket],
            ])
              one.unpipe(other).pause()
            speaks = false
          },
        }
        links.add(link)
        for (const end of [socket, onward]) end.on('error', drop).on('close', drop).setNoDelay(true)
        admit(link)
      })
      await new Promise((done) => server.listen(0, '127.0.0.1', done))
      return {
        port: server.address().port,
        close: () => {
          for (const link of links) link.drop()
          server.close()
        },
      }
    },
  }
}

/** Which of these processes has the other end of a connection; one look at all of them, for it takes a while. */
function newOwners(pids) {
  const inodes = new Map()
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    // Both ends: one port of a caller may be used for several connections, each to another place
    const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/)
    if (inode !== undefined && inode !== '0') inodes.set(`${local} ${remote}`, inode)
  }
  const owners = new Map(pids.flatMap((pid) => socketsOf(pid).map((inode) => [inode, pid])))
  return ({ remotePort, localPort }) => owners.get(inodes.get(`${addressOf(remotePort)} ${addressOf(localPort)}`))
}

const addressOf = (port) => `0100007F:${(port ?? 0).toString(16).toUpperCase().padStart(4, '0')}`

function socketsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.slice(1) ?? []
      } catch {
        return [] // closed meanwhile
      }
    })
  } catch {
    return [] // it has ended
  }
}
