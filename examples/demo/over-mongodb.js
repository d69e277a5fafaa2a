// The same registry beyond one machine: two instances behind one address, over a replica set of three. Played from the project's folder only:
// the servers are started by what the project tests itself with.

/** As `stage.registry`: `issuer`, `firstCode`, `kill()` (-9, of both instances), `restart()`; and what only a set can lose. */
export async function overMongodb() {
  const [{ startReplicaSet }, { startInstances }] = await Promise.all([
    import('../../test/prove/mongo/replica-set.mjs'),
    import('../../test/prove/mongo/instances.mjs'),
  ])
  const set = await startReplicaSet()
  const deployment = await startInstances({ count: 2, store: set.url('credence') })
  const { issuer, firstCode, instances } = deployment
  return {
    issuer,
    firstCode,
    about: 'two instances behind one address, over a MongoDB replica set of three',
    kill: () => Promise.all(instances.map((one) => one.kill())),
    restart: async () => {
      for (const one of instances) await one.start()
    },
    killOne: () => instances[0].kill(),
    startOne: () => instances[0].start(),
    /** kill -9 of the primary; resolves when the set takes writes again. */
    async killPrimary() {
      const primary = await set.primary()
      await primary.kill()
      await set.writable()
      return () => primary.start()
    },
    async close() {
      await deployment.stop()
      await set.stop()
    },
  }
}
