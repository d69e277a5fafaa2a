// A registry of one build (`dist`) whose store counts the reads of the log's head, and the durable writes that follow one another.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../examples/demo/stage.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { closedLoop } from '../lib/load.js'
import { newFolder } from '../lib/open.js'

const { dist, store, issuer: named } = optionsOf()
const load = (path) => import(`${dist}/${path}`)
const [{ systemClock }, { silentLog }, { systemRandom }, { startServer }, { startServices }, { newRouter }, { openMongo }, { openSqlite }] =
  await Promise.all(
    [
      'lib/clock.js',
      'lib/log.js',
      'lib/random.js',
      'server/server.js',
      'server/services.js',
      'server/router.js',
      'storage/mongo/open.js',
      'storage/sqlite/open.js',
    ].map(load),
  )
const folder = newFolder()
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let heads = 0
let writing = 0
let sequence = 0
/** Writes that overlap count once. */
const write = async (work) => {
  if (writing++ === 0) sequence++
  try {
    return await work()
  } finally {
    writing--
  }
}
const counted = (inner, names) => ({
  ...inner,
  ...Object.fromEntries(names.map((name) => [name, (...args) => write(() => inner[name](...args))])),
})
const opened = store
  ? await openMongo({ url: store, clock: systemClock, instance: `${process.pid}`, warn: () => {} })
  : await openSqlite({ file: join(folder, 'store.db'), clock: systemClock })
const storage = {
  ...counted(opened, ['commit']),
  log: {
    ...counted(opened.log, ['append']),
    head: () => {
      heads++
      return opened.log.head()
    },
  },
  // A used proof is consumed beside the read barrier, and not after the decision
  collection: (spec) =>
    spec.name === 'consumed-ids' ? opened.collection(spec) : counted(opened.collection(spec), ['insert', 'change', 'take']),
}
const port = await freePort()
const issuer = named ?? `http://127.0.0.1:${port}`
const parts = {
  storage,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  issuer,
  dev: true,
  host: '127.0.0.1',
  port,
  adminPort: 0,
}
const server = await startServer({ ...parts, limits: 'off' })

// Calls of procedures in this process: the same work without HTTP, and with an authentication that was done before.
const services = await startServices({ ...parts, limits: 'off' })
const router = newRouter(services)
const authenticated = {}
/** Since one barrier serves a request, it is taken where the caller is authenticated; in the previous build, each operation takes its own. */
const findCaller = async (who) => {
  const caller = authenticated[who]
  return 'barrier' in caller ? { ...caller, barrier: await services.trustLog.readBarrier() } : caller
}
const procedureOf = (who, path) => {
  const context = {
    requestId: 'bench',
    address: '127.0.0.1',
    findCaller: () => findCaller(who),
    revocationSignal: services.revocationSignals.signalFor,
    onRefusal: async () => {},
    requireCreationRate: () => {},
    requireStillStanding: ({ barrier, dependencies }) => services.trustLog.requireStillStanding(barrier, dependencies.handles),
    onBug: (failed, error) => console.error(failed, error),
  }
  const [chapter, verb] = path.split('.')
  return router.createCaller(context)[chapter][verb]
}

serveCalls(
  { issuer, firstCode: server.firstCode, port },
  {
    counts: () => {
      const counts = { heads, sequence }
      heads = 0
      sequence = 0
      return counts
    },
    login: async ({ who, url, headers }) => {
      authenticated[who] = await services.authenticate({ method: 'POST', url, headers })
    },
    measure: async ({ who, path, inputs, callers }) => {
      const call = procedureOf(who, path)
      const results = []
      const { each } = await closedLoop(inputs, callers, async (input) => results.push(await call(input)))
      return { each, results }
    },
    flood: async ({ who, path, input, writers, seconds }) => {
      const call = procedureOf(who, path)
      const endMs = performance.now() + seconds * 1000
      let done = 0
      await Promise.all(
        Array.from({ length: writers }, async () => {
          while (performance.now() < endMs)
            await call(input).then(
              () => done++,
              () => undefined,
            )
        }),
      )
      return done
    },
  },
)
