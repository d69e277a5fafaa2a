// The MongoDB deployment that is measured: a named one, or members of a replica set that stop with the run. Also counts the commands of this process.
import { MongoClient } from 'mongodb'
import { findMongod, startMembers, urlOf } from '../../test/storage/find-mongod.mjs'

/** Returns `url(database)` and `stop()`. */
export async function startMongod(count = 1) {
  const found = findMongod()
  if (found?.uri) return { url: (name) => urlOf(found.uri, name), stop: async () => {} }
  const set = await startMembers(count)
  return { url: (name) => set.getUri(name), stop: () => set.stop({ doCleanup: true, force: true }) }
}

/** Counts the commands of every later client of this process by `<command> <collection>`, with the driver's monitoring. Call it before a client is made. */
export function countCommands() {
  const counts = new Map()
  const { connect } = MongoClient.prototype
  MongoClient.prototype.connect = function () {
    this.on('commandStarted', ({ commandName, command }) => {
      const collection = command[commandName === 'getMore' ? 'collection' : commandName]
      const name = typeof collection === 'string' ? `${commandName} ${collection}` : commandName
      counts.set(name, (counts.get(name) ?? 0) + 1)
    })
    return connect.call(this)
  }
  return {
    /** Counts since the last call. */
    take() {
      const taken = Object.fromEntries(counts)
      counts.clear()
      return taken
    },
  }
}

/** Switches the command monitoring of a client on. */
export const monitored = (url) => `${url}${url.includes('?') ? '&' : '?'}monitorCommands=true`
