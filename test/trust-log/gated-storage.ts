import { systemClock } from '../../src/lib/clock.js'
import type { Collection, Doc, Operation, Storage } from '../../src/storage/storage.js'

/** Runs, delays, fails or drops one operation of a store. Names: `log.append`, `commit` (with its operations), `cards.get`, … */
export type Gate = <T>(name: string, work: () => Promise<T>, operations?: readonly Operation[]) => Promise<T>

/** A store that answers after 0 to 5 ms, so that requests which begin together overtake each other. */
export function lateGate(): Gate {
  let turn = 0
  return async (_, work) => {
    await systemClock.after(turn++ % 6)
    return work()
  }
}

/** The same store, with every operation passed through the gate. A gate simulates a network, a crash or a slow disk. */
export function gatedStorage(storage: Storage, gate: Gate): Storage {
  const { log, cards } = storage
  return {
    collection: (spec) => gatedCollection(storage.collection(spec), gate),
    commit: (operations) => gate('commit', () => storage.commit(operations), operations),
    count: (key, by, limit, expiresAt) => gate('count', () => storage.count(key, by, limit, expiresAt)),
    log: {
      append: (appending) => gate('log.append', () => log.append(appending), appending.groups.flat()),
      read: (from, limit) => gate('log.read', () => log.read(from, limit)),
      head: () => gate('log.head', () => log.head()),
      awaitBatch: log.awaitBatch,
      ...(log.storeTime && { storeTime: log.storeTime }),
      has: (entry) => gate('log.has', () => log.has(entry)),
      ending: (since, limit, after) => gate('log.ending', () => log.ending(since, limit, after)),
      blockOf: (seq) => gate('log.blockOf', () => log.blockOf(seq)),
      entryTexts: (seq, limit) => gate('log.entryTexts', () => log.entryTexts(seq, limit)),
      // A change notification may be lost.
      onAppend: (notify) => log.onAppend((block) => void gate('log.notify', async () => notify(block)).catch(() => undefined)),
    },
    cards: { ...cards, search: (query) => gate('card-search', () => cards.search(query)) },
    purge: (now, limit) => gate('purge', () => storage.purge(now, limit)),
    close: () => storage.close(),
  }
}

function gatedCollection<D extends Doc>(inner: Collection<D>, gate: Gate): Collection<D> {
  const name = (verb: string) => `${inner.spec.name}.${verb}`
  return {
    spec: inner.spec,
    insert: (doc) => gate(name('insert'), () => inner.insert(doc)),
    get: (key) => gate(name('get'), () => inner.get(key)),
    find: (index, query) => gate(name('find'), () => inner.find(index, query)),
    change: (key, guard, to) => gate(name('change'), () => inner.change(key, guard, to)),
    take: (key, guard) => gate(name('take'), () => inner.take(key, guard)),
    inserting: (doc) => inner.inserting(doc),
    changing: (key, guard, to) => inner.changing(key, guard, to),
    taking: (key, guard) => inner.taking(key, guard),
  }
}
