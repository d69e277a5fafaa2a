import type { Collection, Doc, Operation, Storage } from '../../src/storage/storage.js'

/** Runs, delays, refuses or swallows one operation of a store: `log.append`, `commit` (of these operations), `halves.take`, … */
export type Gate = <T>(name: string, work: () => Promise<T>, operations?: readonly Operation[]) => Promise<T>

/** The same store, each of whose operations passes the gate: what a network, a crash or a slow disk does to it. */
export function gatedStorage(storage: Storage, gate: Gate): Storage {
  const { log, cards } = storage
  return {
    collection: (spec) => gatedCollection(storage.collection(spec), gate),
    commit: (operations) => gate('commit', () => storage.commit(operations), operations),
    count: (key, by, limit, expiresAt) => gate('count', () => storage.count(key, by, limit, expiresAt)),
    log: {
      append: (block) => gate('log.append', () => log.append(block)),
      read: (from, limit) => gate('log.read', () => log.read(from, limit)),
      head: () => gate('log.head', () => log.head()),
      gather: log.gather,
      has: (entry) => gate('log.has', () => log.has(entry)),
      blockOf: (seq) => gate('log.blockOf', () => log.blockOf(seq)),
      // A doorbell may get lost.
      onAppend: (ring) => log.onAppend(() => void gate('log.ring', async () => ring()).catch(() => undefined)),
    },
    cards,
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
