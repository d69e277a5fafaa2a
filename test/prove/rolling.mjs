// Restarts instances one after another under traffic, and upgrades a deployment from one version to the next. No request may need more than one
// retry, a verifier must not accept revoked tokens, and subscribers must not miss events.
import { MongoClient } from 'mongodb'
import { aPair, newCast } from '../../bench/lib/cast.js'
import { judge } from './mongo/judge.mjs'
import { newHistory } from './mongo/recorder.mjs'
import { startReplicaSet } from './mongo/replica-set.mjs'
import { startSubscriber } from './mongo/subscriber.mjs'
import { readStored } from './mongodb.mjs'
import { GRACE_SECONDS, newDeployment } from './rolling/deployment.mjs'
import { runResourceServer } from './rolling/resource-server.mjs'
import { newTraffic, runTraffic } from './rolling/traffic.mjs'
import { upgrade } from './rolling/upgrade.mjs'
import { LIMIT_MS, pause } from './tools.mjs'

/** A verifier whose instance stopped must have current revocations again within this time. */
const MAX_UNKNOWN_MS = 5000
/** An instance must exit within its grace period and this time: WebSockets have 5 s to close. */
const EXIT_MS = 6000

/** Runs both parts over a new replica set. */
export async function runRolling(options = {}) {
  const set = await startReplicaSet({ members: 1 })
  try {
    const restarts = await runRestarts({ store: set.url('rolling'), ...options })
    const upgraded = await runUpgrade({ store: set.url('upgrade'), ...options })
    return { restarts, upgraded }
  } finally {
    await set.stop()
  }
}

/** Terminates and restarts each instance in turn, then kills and restarts each, for `seconds`, and at least once. */
export function runRestarts({ store, seconds = 0, instances = 3, say = () => {} }) {
  return underTraffic({ store, instances }, async ({ deployment, faults }) => {
    const counts = { SIGTERM: 0, SIGKILL: 0 }
    for (const until = performance.now() + seconds * 1000; counts.SIGTERM === 0 || performance.now() < until; ) {
      for (const signal of ['SIGTERM', 'SIGKILL']) {
        for (const instance of deployment.instances) {
          const { code, ms } = await instance.end(signal)
          counts[signal]++
          say(`instance ${instance.name} ended by ${signal} in ${Math.round(ms)} ms`)
          if (signal === 'SIGTERM' && (code !== 0 || ms > GRACE_SECONDS * 1000 + EXIT_MS))
            faults.push(`instance ${instance.name} ended with ${code} in ${Math.round(ms)} ms: ${instance.log.slice(-500)}`)
          await pause(300)
          await started(instance)
        }
      }
    }
    return counts
  })
}

/** Upgrades to a next version, which has other indexes and writes what this version does not know. */
export function runUpgrade({ store, say = () => {} }) {
  return underTraffic({ store, instances: 3, running: 2 }, (world) => upgrade({ ...world, say, started }))
}

async function started(instance, dist) {
  await instance.start(dist)
  for (const until = performance.now() + 20_000; !(await instance.isReady()); await pause(50))
    if (performance.now() > until) throw new Error(`instance ${instance.name} is not ready`)
}

/** Runs `act({ deployment, traffic, cast, faults, db })` with callers, a verifier and two subscribers in the background. */
async function underTraffic({ store, instances, running = instances }, act) {
  const deployment = await newDeployment({ count: instances, store })
  const client = await MongoClient.connect(store)
  try {
    let firstCode
    // One after another: only the first code of the last start is valid
    for (const instance of deployment.instances.slice(0, running)) firstCode = (await instance.start()).firstCode ?? firstCode
    const players = await newCast({ ...deployment, firstCode })
    const cast = { ...(await aPair(players, deployment.issuer)), admin: players.admin }
    const history = newHistory(LIMIT_MS)
    const traffic = newTraffic(history)
    const ticket = async () => (await cast.ocr.mutate('system.ticket')).ticket
    const subscribers = [
      await startSubscriber({ instance: deployment.front, ticket }),
      await startSubscriber({ instance: deployment.front, ticket }),
    ]
    const faults = []
    let isOver = false
    const background = Promise.all([
      runTraffic({ traffic, deployment, cast, isOver: () => isOver }),
      runResourceServer({ traffic, deployment, cast, isOver: () => isOver }),
    ])
    const [acted, [, resourceServer]] = await Promise.all([
      act({ deployment, traffic, cast, players, faults, db: client.db() }).finally(() => {
        isOver = true
      }),
      background,
    ])
    await readFinalState({ db: client.db(), history, cast, subscribers })
    if (resourceServer.longestUnknownMs > MAX_UNKNOWN_MS)
      faults.push(`the verifier had no current revocations for ${Math.round(resourceServer.longestUnknownMs)} ms`)
    return {
      faults: [...faults, ...traffic.failures, ...resourceServer.faults, ...judge(history)],
      figures: figuresOf({ history, traffic, resourceServer, acted }),
    }
  } finally {
    await client.close()
    await deployment.close()
  }
}

/** Reads the log when it no longer grows, and the final state. */
async function readFinalState({ db, history, cast, subscribers }) {
  const majority = { readConcern: { level: 'majority' } }
  const read = (name, filter = {}) => db.collection(name, majority).find(filter).sort({ _id: 1 }).toArray()
  const readLog = async () => (await read('log-blocks', { _id: { $gte: 0 } })).map(({ block }) => JSON.parse(block))
  const endOf = (log) => log.reduce((sum, { entries }) => sum + entries.length, -1)
  history.log = await readLog()
  for (let tries = 0; tries < 100 && !subscribers.every((subscriber) => subscriber.position() === endOf(history.log)); tries++) {
    await pause(100)
    history.log = await readLog()
  }
  await Promise.all(subscribers.map((subscriber) => subscriber.stop()))
  history.streams = subscribers.map(({ stream }) => stream)
  const { ocr, planner } = cast
  const active = new Set()
  for (const { jti } of history.revoked.filter(({ jti }) => jti).slice(-30))
    if ((await ocr.introspect(history.texts.get(jti))).active) active.add(jti)
  const introductions = new Set()
  for (const name of history.granted) if ((await planner.introductions.get(name.slice(13))).state === 'granted') introductions.add(name)
  history.final = { version: (await ocr.cardView(ocr.agentId)).version, ...(await readStored(read)), active, introductions, errors: [] }
}

function figuresOf({ history, traffic, resourceServer, acted }) {
  const count = (list, test) => list.filter(test).length
  const slowest = history.requests.reduce((slowest, request) => (request.ms > slowest.ms ? request : slowest), { ms: 0, what: 'none' })
  return {
    ...acted,
    requests: history.requests.length,
    'no response': count(history.requests, ({ status }) => typeof status !== 'number'),
    unavailable: count(history.requests, ({ status }) => status === 503),
    issued: history.issued.length,
    revoked: history.revoked.length,
    published: history.published.length,
    active: count(history.introspected, (one) => one.active),
    inactive: count(history.introspected, (one) => !one.active),
    served: resourceServer.served,
    refused: resourceServer.refused,
    unknown: resourceServer.unknown,
    'longest unknown': `${Math.round(resourceServer.longestUnknownMs)} ms`,
    events: history.streams.reduce((sum, { events }) => sum + events.length, 0),
    syncs: history.streams.reduce((sum, { syncs }) => sum + syncs.length, 0),
    'failed beyond a retry': traffic.failures.length,
    'busy twice': traffic.busy,
    slowest: `${slowest.what}: ${slowest.ms.toFixed(0)} ms`,
  }
}
