// A TCP proxy before each member of a replica set, which knows who calls: so a network that falls apart can be played on one machine.
// Whose socket it is stands in /proc (Linux): the port of the calling end, its inode, and the process that has it open.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'

/** The sides of a network that fell apart, by process id; who is on none reaches everybody. */
export function newNetwork() {
  const links = new Set()
  let sides = []
  const sideOf = (pid) => sides.findIndex((side) => side.has(pid))
  const isCut = ({ from, to }) => {
    const [a, b] = [sideOf(from()), sideOf(to())]
    return a !== -1 && b !== -1 && a !== b
  }
  return {
    /** Nothing passes between two of these groups of process ids, from now on and on what is open. */
    split(...groups) {
      sides = groups.map((pids) => new Set(pids))
      for (const link of links) if (isCut(link)) link.cut()
    },
    heal() {
      sides = []
    },
    /** A port before `to.port()`, the port of process `to.pid()`. `callers()`: the processes that may call. */
    async proxy(to, callers) {
      const server = createServer((socket) => {
        let from
        // Looked up when it matters: who has just connected may not be to be seen yet
        const link = { from: () => (from ??= ownerOf(socket.remotePort, callers())), to: () => to.pid(), cut: () => drop() }
        const onward = connect(to.port(), '127.0.0.1')
        const drop = () => {
          links.delete(link)
          socket.destroy()
          onward.destroy()
        }
        links.add(link)
        for (const end of [socket, onward]) end.on('error', drop).on('close', drop).setNoDelay(true)
        if (sides.length > 0 && isCut(link)) return drop()
        socket.pipe(onward).pipe(socket)
      })
      await new Promise((done) => server.listen(0, '127.0.0.1', done))
      return {
        port: server.address().port,
        close: () => {
          for (const link of links) link.cut()
          server.close()
        },
      }
    },
  }
}

/** Which of these processes has the socket whose local port on loopback this is. */
function ownerOf(port, pids) {
  const inode = inodeOf(port)
  return inode === undefined ? undefined : pids.find((pid) => hasOpen(pid, `socket:[${inode}]`))
}

function inodeOf(port) {
  const end = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[1] === end) return fields[9]
  }
  return undefined
}

function hasOpen(pid, name) {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === name
      } catch {
        return false // closed meanwhile
      }
    })
  } catch {
    return false // it has ended
  }
}
