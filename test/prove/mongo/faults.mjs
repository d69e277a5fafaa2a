// Injects faults into a replica set and its instances, one after another. The next fault starts when writes succeed again.

import { pause } from '../tools.mjs'
import { startWithRetries } from './instances.mjs'

/** Resolves while an append is under way at one of these instances, at a random one of its steps, if the load has tokens ready to revoke. */
async function duringAppend({ volley, dice }, instances) {
  await Promise.race([Promise.any(instances.map(volley)).catch(() => undefined), pause(2000)])
  await pause(dice() * 30)
}

export const FAULTS = {
  'kill -9 of the primary': async ({ set }) => {
    const primary = await set.primary()
    await primary.kill()
    await set.writable()
    await pause(1000)
    await primary.start()
  },
  'the primary is suspended': async ({ set, deployment, ...world }, { seconds }) => {
    const primary = await set.primary()
    await duringAppend(world, deployment.instances)
    primary.signal('SIGSTOP')
    await pause(seconds * 1000)
    primary.signal('SIGCONT')
  },
  'the primary steps down': async ({ set }) => {
    await set.client
      .db('admin')
      .command({ replSetStepDown: 10, force: true })
      .catch(() => undefined)
  },
  'the primary is cut off, with an instance': async ({ set, deployment, dice, volley }, { seconds }) => {
    const primary = await set.primary()
    const isolated = deployment.instances[Math.floor(dice() * deployment.instances.length)]
    const rest = set.members.filter((one) => one !== primary)
    const pids = (list) => list.map((one) => one.pid()).filter((pid) => pid !== undefined)
    await duringAppend({ volley, dice }, [isolated])
    set.network.split(pids([primary, isolated]), pids([...rest, ...deployment.instances.filter((one) => one !== isolated)]))
    const faultTime = pause(seconds * 1000)
    // Elects a new primary at once. The old one believes to be the primary until its own time-out
    const [first, second] = await Promise.all(rest.map((one) => one.applied()))
    await rest[second > first ? 1 : 0].takeOver()
    await faultTime
    set.network.heal()
  },
  'a secondary is cut off': async ({ set }, { seconds }) => {
    const primary = await set.primary()
    const secondary = set.members.find((one) => one !== primary)
    set.network.split(
      [secondary.pid()],
      set.members.filter((one) => one !== secondary).map((one) => one.pid()),
    )
    await pause(seconds * 500)
    set.network.heal()
  },
  'kill -9 of an instance': async ({ deployment, dice }) => {
    const instance = deployment.instances[Math.floor(dice() * deployment.instances.length)]
    await instance.kill()
    await pause(300)
    await startWithRetries(instance)
  },
}

const LEAD_MS = 3000

/** Injects each fault once, and then in turn until `isOver()`. Reports each by `say`. */
export async function runFaults(world, { isOver, seconds = 5, only = Object.keys(FAULTS), say = () => {} }) {
  const runStartedAt = performance.now()
  // Lets the callers write some data first
  await pause(LEAD_MS)
  const counts = new Map()
  for (let i = 0; i < only.length || (!isOver() && only.length > 0); i++) {
    const name = only[i % only.length]
    const startedAt = performance.now()
    await FAULTS[name](world, { seconds })
    await world.set.writable()
    const took = performance.now() - startedAt
    await pause(1500)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    say(`${((startedAt - runStartedAt) / 1000).toFixed(0).padStart(4)} s  ${name}; writes succeeded after ${(took / 1000).toFixed(1)} s`)
  }
  return counts
}
