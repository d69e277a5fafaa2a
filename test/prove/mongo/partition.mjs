// Simulates network partitions on one machine by a TCP proxy in front of each member of a replica set. The proxy finds out which process opened a
// connection from /proc (Linux): by the ports of the connection, the inode of its socket, and the process that has the socket open.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'

const LOOKUP_MS = 100

/** A network whose processes can be split into sides. A process on no side reaches all others. `callers()`: the processes that may be on a side. */
export function newNetwork(callers) {
  const links = new Set()
  let sides = []
  let closes = () => false
  const sideOf = (pid) => sides.findIndex((side) => side.has(pid))
  const waiting = new Set()
  const muted = new Set()
  /** Looks up the caller of each link once, many links together because a lookup is slow. A link between two sides is muted, like lost packets. */
  const cutAcross = (some) => {
    const ownerOf = newOwners(callers())
    for (const link of some) {
      link.from ??= ownerOf(link.socket)
      const [a, b] = [sideOf(link.from), sideOf(link.to())]
      if (a === -1 || b === -1 || a === b) link.open()
      else if (closes(link)) link.drop()
      else {
        link.mute()
        muted.add(link)
      }
    }
  }
  const admit = (link) => {
    if (sides.length === 0) return link.open()
    if (waiting.size === 0)
      setTimeout(() => {
        const some = [...waiting]
        waiting.clear()
        cutAcross(some)
      }, LOOKUP_MS)
    waiting.add(link)
  }
  return {
    /** Blocks all new and open connections between these groups of process ids. */
    split(...groups) {
      sides = groups.map((pids) => new Set(pids))
      // Connections between members are closed instead: otherwise a member waits ten seconds for the oplog of a member on the other side
      const members = new Set([...links].map((link) => link.to()))
      closes = (link) => members.has(link.from)
      cutAcross([...links])
    },
    heal() {
      sides = []
      for (const link of muted) link.drop()
      muted.clear()
    },
    /** Opens a proxy to `to.port()`, the port of process `to.pid()`. */
    async proxy(to) {
      const server = createServer((socket) => {
        const onward = connect(to.port(), '127.0.0.1')
        const drop = () => {
          for (const set of [links, waiting, muted]) set.delete(link)
          socket.destroy()
          onward.destroy()
        }
        let isOpen = false
        const link = {
          socket,
          from: undefined,
          to: () => to.pid(),
          drop,
          open() {
            if (!isOpen && !socket.destroyed) socket.pipe(onward).pipe(socket)
            isOpen = true
          },
          mute() {
            for (const [one, other] of [
              [socket, onward],
              [onward, socket],
            ])
              one.unpipe(other).pause()
            isOpen = false
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

/** Returns a function that finds the process at the other end of a connection. Reads all sockets of the processes once, because that is slow. */
function newOwners(pids) {
  const inodes = new Map()
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    // By both ports: a caller may use one port for several connections
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
        return [] // the socket was closed
      }
    })
  } catch {
    return [] // the process has exited
  }
}
