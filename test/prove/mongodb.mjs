// Injects faults into a replica set of three under load from several instances, and judges the recorded history (mongo/judge.mjs).
import { aPair, newCast } from '../../bench/lib/cast.js'
import { runFaults } from './mongo/faults.mjs'
import { startInstances, startWithRetries } from './mongo/instances.mjs'
import { judge } from './mongo/judge.mjs'
import { runLoad } from './mongo/load.mjs'
import { newHistory } from './mongo/recorder.mjs'
import { startReplicaSet } from './mongo/replica-set.mjs'
import { startSubscriber } from './mongo/subscriber.mjs'
import { LIMIT_MS, newDice, pause } from './tools.mjs'

/** Runs over a new replica set. `electionMs`: its election time-out. */
export async function runMongodb({ electionMs = 2000, ...options } = {}) {
  const callers = { pids: () => [] }
  const set = await startReplicaSet({ electionMs, callers: () => callers.pids() })
  try {
    return await runOver({ set, callers, ...options })
  } finally {
    await set.stop()
  }
}

/** `revokers`: callers of each instance that only revoke; `seconds`: more rounds of faults begin until then; `dist`: the built program; `only`: names of faults; `faultSeconds`: duration of faults that have one. */
export async function runOver({
  set,
  callers,
  database = 'credence',
  seconds = 600,
  seed = 1,
  instances = 3,
  workers = 6,
  pauseMs = 0,
  revokers = 0,
  dist,
  only,
  faultSeconds,
  say,
}) {
  const dice = newDice(seed)
  const deployment = await startInstances({ count: instances, store: set.url(database), ...(dist && { dist }) })
  callers.pids = deployment.pids
  try {
    const volleys = new Map()
    const world = { set, deployment, dice, volley: async (instance) => volleys.get(instance)?.() }
    const cast = await newCast(deployment)
    const players = await aPair(cast, deployment.issuer)
    const history = newHistory(LIMIT_MS)
    const ticket = async () => (await players.ocr.mutate('system.ticket')).ticket
    const subscribers = await Promise.all(deployment.instances.map((instance) => startSubscriber({ instance, ticket })))
    const until = performance.now() + seconds * 1000
    let faultsAreOver = false
    // Callers continue until the last fault is over
    const [counts] = await Promise.all([
      runFaults(world, { isOver: () => performance.now() > until, only, seconds: faultSeconds, say }).finally(() => {
        faultsAreOver = true
      }),
      runLoad({
        history,
        deployment,
        cast: players,
        dice,
        workers,
        pauseMs,
        revokers,
        volleys,
        isOver: () => faultsAreOver && performance.now() > until,
      }),
    ])
    await readFinalState({ ...world, database }, history, players, subscribers)
    return { faults: judge(history), figures: figuresOf(history, counts), history, logs: deployment.instances.map((one) => one.log()) }
  } finally {
    await deployment.stop()
  }
}

/** Reads the final state, from a majority of the database and from the instances. */
async function readFinalState({ set, deployment, database }, history, players, subscribers) {
  await set.writable()
  for (const instance of deployment.instances) if (instance.pid() === undefined) await startWithRetries(instance)
  const majority = { readConcern: { level: 'majority' }, readPreference: 'primary' }
  const read = (name, filter = {}) => set.client.db(database).collection(name, majority).find(filter).sort({ _id: 1 }).toArray()
  const readLog = async () => (await read('log-blocks', { _id: { $gte: 0 } })).map(({ block }) => JSON.parse(block))
  // A commit of a killed instance may still arrive. The streams are compared when the log no longer grows
  for (let unchanged = 0, last = -1, tries = 0; unchanged < 3 && tries < 50; tries++) {
    const end = lastOf(await readLog())
    unchanged = end === last && subscribers.every((subscriber) => subscriber.position() === end) ? unchanged + 1 : 0
    last = end
    await pause(200)
  }
  history.final = await finalState(history, players, await readStored(read))
  history.log = await readLog()
  for (let tries = 0; tries < 50 && !subscribers.every((subscriber) => subscriber.position() === lastOf(history.log)); tries++)
    await pause(100)
  await Promise.all(subscribers.map((subscriber) => subscriber.stop()))
  history.streams = subscribers.map(({ stream }) => stream)
}

/** The ids of the token records, and the handles whose ending has an audit row. `read(name)` gives the documents of a collection. */
export async function readStored(read) {
  const stored = async (name) => (await read(name)).map(({ text }) => JSON.parse(text))
  const records = new Set((await stored('tokens')).map(({ id }) => id))
  const audited = new Set((await stored('audit-endings')).flatMap(({ handles }) => handles))
  return { records, audited }
}

const lastOf = (log) => log.reduce((sum, { entries }) => sum + entries.length, -1)

const MAX_TRIES = 8

/** Retries while the response is 503 or missing. */
async function withRetries(work) {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === MAX_TRIES || (error.status !== 503 && error.status !== 0)) throw error
      await pause(300)
    }
  }
}

/** `errors`: why the state cannot be read. An instance that has read entries which the log lost refuses everything after that. */
async function finalState(history, { ocr, planner }, stored) {
  const state = { version: Number.POSITIVE_INFINITY, ...stored, active: new Set(), introductions: new Set(history.granted), errors: [] }
  try {
    for (const { jti } of history.revoked.filter(({ jti }) => jti).slice(-100))
      if ((await withRetries(() => ocr.introspect(history.texts.get(jti)))).active) state.active.add(jti)
    const names = [...history.granted, ...history.revoked.map(({ name }) => name).filter((name) => name.startsWith('introduction '))]
    const granted = new Set()
    for (const name of names)
      if ((await withRetries(() => planner.introductions.get(name.slice(13)))).state === 'granted') granted.add(name)
    return { ...state, introductions: granted, version: (await withRetries(() => ocr.cardView(ocr.agentId))).version }
  } catch (error) {
    return { ...state, errors: [`${error.status} ${error.message}`] }
  }
}

function figuresOf(history, counts) {
  const slowest = history.requests.reduce((slowest, request) => (request.ms > slowest.ms ? request : slowest), { ms: 0, what: 'none' })
  const count = (list, test) => list.filter(test).length
  return {
    faults: Object.fromEntries(counts),
    requests: history.requests.length,
    answered: count(history.requests, ({ status }) => typeof status === 'number' && status < 500),
    unavailable: count(history.requests, ({ status }) => status === 503),
    issued: history.issued.length,
    revoked: history.revoked.length,
    active: count(history.introspected, (one) => one.active),
    inactive: count(history.introspected, (one) => !one.active),
    published: history.published.length,
    races: count(history.races, (one) => one.winners === 1),
    syncs: history.streams.reduce((sum, { syncs }) => sum + syncs.length, 0),
    entries: lastOf(history.log) + 1,
    slowest: `${slowest.what}: ${slowest.ms.toFixed(0)} ms`,
  }
}
