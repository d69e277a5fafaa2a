// A deployment is taken from this build (N) to a next one (N+1) while callers go on. N+1 is a copy of the built program that declares another
// index and an indexed field, and writes what N does not know: a field, a type of entry, a kind of handle, a claim, a message of the feed.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchRegistryKeys, verifyWholeLog } from 'credence/client'
import { plant } from '../mongo/planted.mjs'
import { claimsOf } from '../tools.mjs'
import { run } from './deployment.mjs'
import { doorTo, endTask, endToken, introspect, issue, publish } from './traffic.mjs'

const INDEX = "organisation: { fields: ['orgId', 'createdAt'] },"
/** [file, what stands there, what N+1 has]. */
export const NEXT = {
  name: 'N+1',
  edits: [
    ['storage/mongo/schema-version.js', 'export const FORMAT = 1', 'export const FORMAT = 2'],
    ['identity/agents/store.js', INDEX, "owner: { fields: ['orgId', 'name'] }, shape: { fields: ['shape', 'createdAt'] },"],
    ['identity/agents/store.js', 'introductionPolicy: IntroductionPolicy,', 'introductionPolicy: IntroductionPolicy,\n    shape: z.string().max(32).optional(),'],
    ['identity/agents/list.js', "find('organisation'", "find('owner'"],
    ['identity/agents/register.js', 'introductionPolicy: input.introductionPolicy,', "introductionPolicy: input.introductionPolicy,\n        shape: 'round',"],
    ['delegation/tasks/end.js', "type: 'task.ended'", "type: 'task.finished'"],
    ['delegation/tasks/end.js', 'ends: [endingOfTask(task)]', 'ends: [endingOfTask(task), { ...endingOfTask(task), handle: zoneOf(id) }]'],
    [
      'delegation/tasks/end.js',
      'export async function endTask',
      "const zoneOf = (id) => 'zone:' + id.slice(4);\nexport async function endTask",
    ],
    ['trust-log/block.js', 'ends: ends.slice(', "weather: 'fine', ends: ends.slice("],
    [
      'oauth/issue.js',
      'const dependsOn = distinct(dependencies.handles);',
      "const dependsOn = distinct([...dependencies.handles, ...(decision.task ? ['zone:' + decision.task.id.slice(4)] : [])]);",
    ],
    ['oauth/issue.js', 'kid: signer.kid }, claims, signer)', "kid: signer.kid }, { ...claims, weather: 'fine' }, signer)"],
    [
      'revocations/hub.js',
      "{ type: 'events', ...fields, ended:",
      "{ type: 'weather', is: 'fine' }, { type: 'events', ...fields, weather: 'fine', ended:",
    ],
  ],
}

/** Asked again where a busy machine had no time for the answer. */
async function surely(work) {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (error.status !== 503 || tries === 8) throw error
    }
  }
}

export async function upgrade({ deployment, traffic, cast, players, faults, db, store, say, started }) {
  const copy = await plant(NEXT)
  const dist = join(copy, 'dist')
  const must = (holds, what) => {
    say(`${holds ? 'yes' : 'NO '} ${what}`)
    if (!holds) faults.push(`not so: ${what}`)
  }
  const migrate = (...flags) => run(dist, ['admin', 'migrate', '--store', store, ...flags])
  const indexes = async () => (await db.collection('agents').indexes()).map(({ name }) => name)
  const [a, b, c] = deployment.instances
  const door = (instance) => doorTo(traffic.history, deployment.issuer, instance, cast)
  const [old, next] = [door(a), door(c)]
  try {
    const before = await surely(() => players.agent('before'))
    const migrated = await migrate('--apply')
    must(migrated.code === 0, `the deployment is migrated while N runs${migrated.code === 0 ? '' : `: ${migrated.text}`}`)
    must((await indexes()).includes('by_organisation'), 'the index that N uses stays')
    await started(c, dist)

    // What one writes, the other reads, and what it ends is dead there
    const world = (one) => ({ traffic, door: one, cast, issuer: deployment.issuer })
    for (const [name, here, there] of [
      ['N', old, next],
      ['N+1', next, old],
    ]) {
      const other = name === 'N' ? 'N+1' : 'N'
      await surely(() => publish(world(here)))
      must((await surely(() => there.planner.card(cast.ocr.agentId))).state === 'verified', `a card of ${name} is verified at ${other}`)
      const asked = { to: cast.ocr.agentId, purpose: name, scopes: ['ocr:read'] }
      const { introductionId } = await surely(() => here.planner.introductions.request(asked))
      must(
        (await surely(() => there.planner.introductions.get(introductionId))).state === 'granted',
        `an introduction of ${name} stands at ${other}`,
      )
      const token = await surely(() => issue(traffic, here, cast.ocr.audience))
      const isActive = await surely(() => introspect(traffic, there, token))
      // Traffic may have ended the introduction that it stands on
      must(isActive || token.on.some((on) => traffic.ending.has(on)), `a token of ${name} is active at ${other}`)
      await surely(() => endToken(world(there), token))
      must(!(await surely(() => introspect(traffic, here, token))), `revoked at ${other} it is not at ${name}`)
      const task = await surely(() => endTask(world(here)))
      must(!(await surely(() => introspect(traffic, there, task))), `a task that ended at ${name} has ended at ${other}`)
      if (name === 'N+1')
        must(
          claimsOf(task.accessToken).standing.dependsOn.some((on) => on.startsWith('zone:')),
          'the token stands on what only N+1 knows',
        )
    }
    await changedByOld({ must, cast, old, next, db })
    const during = await surely(() => players.agent('during'))

    // N is taken away in turn
    must((await migrate('--finish', '--apply')).text.includes('older instances still run'), 'it is not finished while N runs')
    for (const instance of [a, b]) {
      await instance.end('SIGTERM')
      const refused = await instance.start().then(String, (error) => error.message)
      must(refused.includes('migrated by a newer Credence'), `N does not start any more: ${refused.slice(-90).trim()}`)
      await instance.end('SIGTERM')
      await started(instance, dist)
    }
    const finished = await migrate('--finish', '--apply')
    must(finished.code === 0, `it is finished when N is gone${finished.code === 0 ? '' : `: ${finished.text}`}`)
    const now = await indexes()
    must(!now.includes('by_organisation') && now.includes('by_owner') && now.includes('by_shape'), `the old index is gone: ${now}`)
    const listed = new Set((await surely(() => cast.admin.query('agents.list', { limit: 100 }))).items.map(({ agentId }) => agentId))
    must(
      [before, during].every(({ agentId }) => listed.has(agentId)),
      'all that was registered is listed by the new index',
    )
    const shaped = await db.collection('agents').find({ 'f.shape': 'round' }).hint('by_shape').toArray()
    must(
      shaped.some(({ text }) => JSON.parse(text).name === 'of N+1'),
      'what N had changed is found by the new field',
    )
    const keys = await fetchRegistryKeys(deployment.issuer, 'log')
    const { entries } = await verifyWholeLog({ issuer: deployment.issuer, keys })
    must(entries > 0, 'a client of N verifies the log')
    const blocks = await db
      .collection('log-blocks')
      .find({ _id: { $gte: 0 } })
      .toArray()
    const log = blocks.flatMap(({ block }) => JSON.parse(block).entries)
    must(
      log.some(({ type, weather }) => type === 'task.finished' && weather === 'fine'),
      'the log has entries that only N+1 knows',
    )
    return { 'told apart': log.filter(({ weather }) => weather !== undefined).length }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** An agent that N+1 registered is changed at N: what N does not know of it stays. */
async function changedByOld({ must, cast, old, next, db }) {
  const asked = { name: 'of N+1', ceiling: {}, introductionPolicy: { mode: 'open' } }
  const { agentId } = await surely(() => next.admin.mutate('agents.register', asked))
  const fieldOf = async () => {
    const stored = await db.collection('agents').findOne({ _id: agentId })
    return JSON.parse(stored.text)
  }
  const before = await fieldOf()
  must(before.shape === 'round', 'N+1 writes a field of its own')
  const ceiling = { rights: [{ audience: cast.ocr.audience, scope: 'ocr:read' }] }
  await surely(() => old.admin.mutate('agents.change', { agentId, ceiling }))
  const changed = await fieldOf()
  must(changed.shape === 'round' && changed.ceilingVer !== before.ceilingVer, 'changed at N it has that field still')
}
