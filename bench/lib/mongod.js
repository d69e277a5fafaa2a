// A MongoDB to measure: a deployment that is named, or members of a replica set that end with the run. And what is asked of it, counted.
import { MongoClient } from 'mongodb'
import { findMongod, startMembers, urlOf } from '../../test/storage/find-mongod.mjs'

/** `url(database)`, `stop()`. */
export async function startMongod(count = 1) {
  const found = findMongod()
  if (found?.uri) return { url: (name) => urlOf(found.uri, name), stop: async () => {} }
  const set = await startMembers(count)
  return { url: (name) => set.getUri(name), stop: () => set.stop({ doCleanup: true, force: true }) }
}

/** Counts what every client of this process sends from now on, by the driver's own monitoring: `<command> <collection>`. Call it before a client is made. */
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
    /** Since the last time it was asked. */
    take() {
      const taken = Object.fromEntries(counts)
      counts.clear()
      return taken
    },
  }
}

/** So that a client's commands can be counted. */
export const monitored = (url) => `${url}${url.includes('?') ? '&' : '?'}monitorCommands=true`
