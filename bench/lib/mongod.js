// The MongoDB deployment to measure: the one named in the environment, or a replica set that stops with the run. Also counts the commands of this process.
import { MongoClient } from 'mongodb'
import { findMongod, startMembers, urlOf } from '../../test/storage/find-mongod.mjs'

/** Returns `url(database)` and `stop()`. */
export async function startMongod(count = 1) {
  const found = findMongod()
  if (found?.uri) return { url: (name) => urlOf(found.uri, name), stop: async () => {} }
  const set = await startMembers(count)
  return { url: (name) => set.getUri(name), stop: () => set.stop({ doCleanup: true, force: true }) }
}

/** Counts the commands of this process by `<command> <collection>`, with the monitoring of the driver. Clients that connected before are not counted. */
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
    /** Returns the counts since the last call. */
    take() {
      const taken = Object.fromEntries(counts)
      counts.clear()
      return taken
    },
  }
}

/** The URL with command monitoring switched on. */
export const monitored = (url) => `${url}${url.includes('?') ? '&' : '?'}monitorCommands=true`
