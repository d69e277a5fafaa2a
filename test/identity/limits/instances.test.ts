// Limits that hold for all instances together. Runs over the embedded store and over MongoDB, there with two servers.
import { expect, test } from 'vitest'
import type { TaskId } from '../../../src/protocol/ids.js'
import { eventually } from '../../eventually.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

/** Starts as many servers as the store allows. Each knows of the others: it counts the live instances when it reads the log, once a second. */
async function startInstances(limits: 'on' | 'off'): Promise<Registry> {
  const servers = process.env.CREDENCE_TEST_STORE === 'mongodb' ? 2 : 1
  const registry = await startRegistry({ limits, servers })
  await eventually(async () => {
    await registry.storage.log.head()
    expect(registry.storage.liveInstances?.() ?? 1).toBe(servers)
  })
  return registry
}

/** Sets limits and moves the clock past the caches of both servers. */
async function setEverywhere(registry: Registry, actor: Actor, limits: object, organisation?: string): Promise<void> {
  await actor.mutate('limits.set', { limits, organisation })
  registry.clock.advance(1)
}

test('of twenty tasks that are created at once on two instances, as many as the limit are created, twice', async () => {
  await using registry = await startInstances('off')
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme })
  await setEverywhere(registry, acme, { openTasks: 5 })
  const taskIds: TaskId[] = []
  const create = () => reasonOf(agent.tasks.create({ description: 'x' }).then(({ taskId }) => taskIds.push(taskId)))
  for (const expected of [5, 3]) {
    const outcomes = await Promise.all(Array.from({ length: 20 }, create))
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(expected)
    expect(new Set(outcomes)).toEqual(new Set(['done', 'conflict']))
    for (const taskId of taskIds.splice(0, 3)) await agent.tasks.end(taskId)
  }
})

test('two instances over one store divide a rate, and members have a rate apart from agents', async () => {
  await using registry = await startInstances('on')
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme })
  await setEverywhere(registry, acme, { creationsPerSecond: 1 })
  registry.clock.advance(60)
  let created = 0
  const create = async () => {
    await agent.tasks.create({ description: 'x' })
    created++
  }
  const createAll = async () => {
    while (created < 20) await create()
  }
  // A burst is four seconds of the rate, on all instances together
  expect(await reasonOf(createAll())).toBe('rate_limited')
  expect(created).toBe(4)
  await acme.mutate('tasks.create', { description: 'x' })
})
