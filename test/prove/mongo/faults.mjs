// What goes wrong, one after the other. Each has its time, and everything works again before the next.

import { pause } from '../tools.mjs'
import { startedAtLast } from './instances.mjs'

/** An append is under way at one of these instances when it resolves, where the load has endings ready: another of its steps each time. */
async function inTheMidst({ volley, dice }, instances) {
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
  'the primary is paused': async ({ set, deployment, ...world }, { seconds }) => {
    const primary = await set.primary()
    await inTheMidst(world, deployment.instances)
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
    const alone = deployment.instances[Math.floor(dice() * deployment.instances.length)]
    const rest = set.members.filter((one) => one !== primary)
    const pids = (list) => list.map((one) => one.pid()).filter((pid) => pid !== undefined)
    await inTheMidst({ volley, dice }, [alone])
    set.network.split(pids([primary, alone]), pids([...rest, ...deployment.instances.filter((one) => one !== alone)]))
    const over = pause(seconds * 1000)
    // At once, so that there are two that believe: the old one until its own time is over
    const [first, second] = await Promise.all(rest.map((one) => one.applied()))
    await rest[second > first ? 1 : 0].takeOver()
    await over
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
    await startedAtLast(instance)
  },
}

const LEAD_MS = 5000

/** Faults in turn until `isOver()`, each at least once where there is time. `say` hears of each. */
export async function runFaults(world, { isOver, seconds = 5, only = Object.keys(FAULTS), say = () => {} }) {
  const began = performance.now()
  // So that there is something to lose
  await pause(LEAD_MS)
  const counts = new Map()
  for (let i = 0; !isOver() && only.length > 0; i++) {
    const name = only[i % only.length]
    const at = performance.now()
    await FAULTS[name](world, { seconds })
    await world.set.writable()
    const took = performance.now() - at
    await pause(1500)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    say(`${((at - began) / 1000).toFixed(0).padStart(4)} s  ${name}; writes again after ${(took / 1000).toFixed(1)} s`)
  }
  return counts
}
