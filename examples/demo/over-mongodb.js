// The registry of the demo over MongoDB: two instances behind one address, over a replica set of three. It runs in a clone only, because it uses the
// test support of the project to start the servers.

/** Like `stage.registry()`, with further functions that kill one instance or the primary. `kill()` kills both instances (-9). */
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
    /** Kills the primary (-9). Resolves when the set accepts writes again. */
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
