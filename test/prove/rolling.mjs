// Instances are ended and started again, one after the other, while callers go on; and a deployment is taken from one version to the next.
// What must hold: no request fails beyond one retry, a verifier serves nothing that has ended, and subscribers miss nothing.
import { MongoClient } from 'mongodb'
import { aPair, newCast } from '../../bench/lib/cast.js'
import { judge } from './mongo/judge.mjs'
import { newHistory } from './mongo/recorder.mjs'
import { startReplicaSet } from './mongo/replica-set.mjs'
import { startSubscriber } from './mongo/subscriber.mjs'
import { runCallee } from './rolling/callee.mjs'
import { GRACE_SECONDS, newDeployment } from './rolling/deployment.mjs'
import { newTraffic, runTraffic } from './rolling/traffic.mjs'
import { upgrade } from './rolling/upgrade.mjs'
import { LIMIT_MS, pause } from './tools.mjs'

/** In which a verifier whose instance has gone knows again what stands. */
const FRESH_MS = 5000
/** In which an instance that was told to go is gone, beside its grace: sockets have 5 s to close. */
const GONE_MS = 6000

/** A replica set of its own for one run. */
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

/** Each in turn is told to go and started again, then killed and started again, for as long as that; each once at least. */
export function runRestarts({ store, seconds = 0, instances = 3, say = () => {} }) {
  return underTraffic({ store, instances }, async ({ deployment, faults }) => {
    const counts = { SIGTERM: 0, SIGKILL: 0 }
    for (const until = performance.now() + seconds * 1000; counts.SIGTERM === 0 || performance.now() < until; ) {
      for (const signal of ['SIGTERM', 'SIGKILL']) {
        for (const instance of deployment.instances) {
          const { code, ms } = await instance.end(signal)
          counts[signal]++
          say(`instance ${instance.name} ended by ${signal} in ${Math.round(ms)} ms`)
          if (signal === 'SIGTERM' && (code !== 0 || ms > GRACE_SECONDS * 1000 + GONE_MS))
            faults.push(`instance ${instance.name} ended with ${code} in ${Math.round(ms)} ms: ${instance.log.slice(-500)}`)
          await pause(300)
          await started(instance)
        }
      }
    }
    return counts
  })
}

/** From this build to a next one, which declares more, and writes what this one does not know. */
export function runUpgrade({ store, say = () => {} }) {
  return underTraffic({ store, instances: 3, running: 2 }, (world) => upgrade({ ...world, store, say, started }))
}

async function started(instance, dist) {
  await instance.start(dist)
  for (const until = performance.now() + 20_000; !(await instance.isReady()); await pause(50))
    if (performance.now() > until) throw new Error(`instance ${instance.name} is not ready`)
}

/** `act({ deployment, traffic, cast, faults, db })` while callers, a verifier and two subscribers go on. */
async function underTraffic({ store, instances, running = instances }, act) {
  const deployment = await newDeployment({ count: instances, store })
  const client = await MongoClient.connect(store)
  try {
    let firstCode
    // One after the other: the last one's code is the one that is good
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
    const going = Promise.all([
      runTraffic({ traffic, deployment, cast, isOver: () => isOver }),
      runCallee({ traffic, deployment, cast, isOver: () => isOver }),
    ])
    const [acted, [, callee]] = await Promise.all([
      act({ deployment, traffic, cast, players, faults, db: client.db() }).finally(() => {
        isOver = true
      }),
      going,
    ])
    await settle({ db: client.db(), history, cast, subscribers })
    if (callee.longestUnknownMs > FRESH_MS) faults.push(`the verifier did not know for ${Math.round(callee.longestUnknownMs)} ms`)
    return {
      faults: [...faults, ...traffic.failures, ...callee.faults, ...judge(history)],
      figures: figuresOf({ history, traffic, callee, acted }),
    }
  } finally {
    await client.close()
    await deployment.close()
  }
}

/** When nothing moves any more: what the log holds, and what is there. */
async function settle({ db, history, cast, subscribers }) {
  const majority = { readConcern: { level: 'majority' } }
  const read = (name, filter = {}) => db.collection(name, majority).find(filter).sort({ _id: 1 }).toArray()
  const readLog = async () => (await read('log-blocks', { _id: { $gte: 0 } })).map(({ block }) => JSON.parse(block))
  const endOf = (log) => log.reduce((sum, { entries }) => sum + entries.length, -1)
  history.log = await readLog()
  for (let tries = 0; tries < 100 && !subscribers.every((one) => one.at() === endOf(history.log)); tries++) {
    await pause(100)
    history.log = await readLog()
  }
  await Promise.all(subscribers.map((one) => one.stop()))
  history.streams = subscribers.map(({ stream }) => stream)
  const { ocr, planner } = cast
  const active = new Set()
  for (const { jti } of history.ended.filter((one) => one.jti).slice(-30))
    if ((await ocr.introspect(history.texts.get(jti))).active) active.add(jti)
  const introductions = new Set()
  for (const name of history.granted) if ((await planner.introductions.get(name.slice(13))).state === 'granted') introductions.add(name)
  const records = new Set((await read('tokens')).map(({ text }) => JSON.parse(text).id))
  history.found = { version: (await ocr.cardView(ocr.agentId)).version, records, active, introductions, silent: [] }
}

function figuresOf({ history, traffic, callee, acted }) {
  const count = (list, test) => list.filter(test).length
  const slowest = history.requests.reduce((most, one) => (one.ms > most.ms ? one : most), { ms: 0, what: 'none' })
  return {
    ...acted,
    requests: history.requests.length,
    'no answer': count(history.requests, ({ status }) => typeof status !== 'number'),
    'turned away': count(history.requests, ({ status }) => status === 503),
    issued: history.issued.length,
    ended: history.ended.length,
    published: history.published.length,
    active: count(history.asked, (one) => one.active),
    inactive: count(history.asked, (one) => !one.active),
    served: callee.served,
    refused: callee.refused,
    unknown: callee.unknown,
    'longest unknown': `${Math.round(callee.longestUnknownMs)} ms`,
    events: history.streams.reduce((sum, { events }) => sum + events.length, 0),
    syncs: history.streams.reduce((sum, { syncs }) => sum + syncs.length, 0),
    'failed beyond a retry': traffic.failures.length,
    'busy twice': traffic.busy,
    slowest: `${slowest.what}: ${slowest.ms.toFixed(0)} ms`,
  }
}
