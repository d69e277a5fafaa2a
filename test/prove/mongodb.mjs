// Faults on a replica set of three under load from several instances, and what must hold of the recorded history (mongo/judge.mjs).
import { aPair, newCast } from '../../bench/lib/cast.js'
import { runFaults } from './mongo/faults.mjs'
import { startedAtLast, startInstances } from './mongo/instances.mjs'
import { judge } from './mongo/judge.mjs'
import { runLoad } from './mongo/load.mjs'
import { newHistory } from './mongo/recorder.mjs'
import { startReplicaSet } from './mongo/replica-set.mjs'
import { startSubscriber } from './mongo/subscriber.mjs'
import { LIMIT_MS, newDice, pause } from './tools.mjs'

/** A replica set of its own for one run. `electionMs`: how long it waits for its primary before it elects another. */
export async function runMongodb({ electionMs = 2000, ...options } = {}) {
  const callers = { pids: () => [] }
  const set = await startReplicaSet({ electionMs, callers: () => callers.pids() })
  try {
    return await runOver({ set, callers, ...options })
  } finally {
    await set.stop()
  }
}

/** `enders`: callers of each instance that only end; `dist`: the program that runs; `only`: which faults; `faultSeconds`: how long those last that last. */
export async function runOver({
  set,
  callers,
  database = 'credence',
  seconds = 600,
  seed = 1,
  instances = 3,
  workers = 6,
  enders = 0,
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
    let isUnhurt = false
    // Callers go on until the last fault is over
    const [counts] = await Promise.all([
      runFaults(world, { isOver: () => performance.now() > until, only, seconds: faultSeconds, say }).finally(() => {
        isUnhurt = true
      }),
      runLoad({ history, deployment, cast: players, dice, workers, enders, volleys, isOver: () => isUnhurt && performance.now() > until }),
    ])
    await settle({ ...world, database }, history, players, subscribers)
    return { faults: judge(history), figures: figuresOf(history, counts), history, logs: deployment.instances.map((one) => one.log()) }
  } finally {
    await deployment.stop()
  }
}

/** After the last fault: what is there, read from the database by a majority and asked at the doors. */
async function settle({ set, deployment, database }, history, players, subscribers) {
  await set.writable()
  for (const instance of deployment.instances) if (instance.pid() === undefined) await startedAtLast(instance)
  const majority = { readConcern: { level: 'majority' }, readPreference: 'primary' }
  const read = (name, filter = {}) => set.client.db(database).collection(name, majority).find(filter).sort({ _id: 1 }).toArray()
  const readLog = async () => (await read('log-blocks', { _id: { $gte: 0 } })).map(({ block }) => JSON.parse(block))
  // Halves that a killed instance left are settled by whoever meets them; the streams are compared when nothing moves
  for (let still = 0, last = -1, tries = 0; still < 3 && tries < 50; tries++) {
    const end = lastOf(await readLog())
    still = end === last && subscribers.every((one) => one.at() === end) ? still + 1 : 0
    last = end
    await pause(200)
  }
  history.found = await found(history, players, new Set((await read('tokens')).map(({ text }) => JSON.parse(text).id)))
  history.log = await readLog()
  for (let tries = 0; tries < 50 && !subscribers.every((one) => one.at() === lastOf(history.log)); tries++) await pause(100)
  await Promise.all(subscribers.map((one) => one.stop()))
  history.streams = subscribers.map(({ stream }) => stream)
}

const lastOf = (log) => log.reduce((sum, { entries }) => sum + entries.length, -1)

const MAX_TRIES = 8

/** Asked again where the answer is that it cannot be said now. */
async function surely(work) {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === MAX_TRIES || (error.status !== 503 && error.status !== 0)) throw error
      await pause(300)
    }
  }
}

/** `silent`: why there is no answer, though nothing is wrong any more: an instance that has read what is not there trusts nothing after it. */
async function found(history, { ocr, planner }, records) {
  const at = { version: Number.POSITIVE_INFINITY, records, active: new Set(), introductions: new Set(history.granted), silent: [] }
  try {
    for (const { jti } of history.ended.filter((one) => one.jti).slice(-100))
      if ((await surely(() => ocr.introspect(history.texts.get(jti)))).active) at.active.add(jti)
    const names = [...history.granted, ...history.ended.map(({ name }) => name).filter((name) => name.startsWith('introduction '))]
    const standing = new Set()
    for (const name of names) if ((await surely(() => planner.introductions.get(name.slice(13)))).state === 'granted') standing.add(name)
    return { ...at, introductions: standing, version: (await surely(() => ocr.cardView(ocr.agentId))).version }
  } catch (error) {
    return { ...at, silent: [`${error.status} ${error.message}`] }
  }
}

function figuresOf(history, counts) {
  const slowest = history.requests.reduce((most, one) => (one.ms > most.ms ? one : most), { ms: 0, what: 'none' })
  const count = (list, test) => list.filter(test).length
  return {
    faults: Object.fromEntries(counts),
    requests: history.requests.length,
    answered: count(history.requests, ({ status }) => typeof status === 'number' && status < 500),
    'turned away': count(history.requests, ({ status }) => status === 503),
    issued: history.issued.length,
    ended: history.ended.length,
    active: count(history.asked, (one) => one.active),
    inactive: count(history.asked, (one) => !one.active),
    published: history.published.length,
    races: count(history.races, (one) => one.winners === 1),
    syncs: history.streams.reduce((sum, { syncs }) => sum + syncs.length, 0),
    entries: lastOf(history.log) + 1,
    slowest: `${slowest.what}: ${slowest.ms.toFixed(0)} ms`,
  }
}
