// Preloaded into the registry of a soak run: answers each message with the figures of the process, after a garbage collection.
process.on('message', () => {
  globalThis.gc()
  const { rss, heapUsed } = process.memoryUsage()
  process.send({ rss, heap: heapUsed, handles: process.getActiveResourcesInfo().length })
})
process.channel.unref()
