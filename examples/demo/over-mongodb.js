// The registry of the demo over MongoDB: two instances behind one address, over a replica set of three members. It needs a clone of the repository,
// because it starts the servers with code of test/prove.

/** Like `stage.registry()`, with functions that also kill one instance or the primary. `kill()` kills both instances with SIGKILL. */
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
    kill: () => Promise.all(instances.map((instance) => instance.kill())),
    restart: async () => {
      for (const instance of instances) await instance.start()
    },
    killOne: () => instances[0].kill(),
    startOne: () => instances[0].start(),
    /** Kills the primary with SIGKILL. Resolves when the set accepts writes again, to a function that restarts the killed member. */
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
