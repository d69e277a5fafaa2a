// Upgrades a deployment from this version (N) to the next one (N+1) under traffic. N+1 is a copy of the built program with another index and another
// indexed field. It writes what N does not know: a field, an entry type, a handle kind, a claim, and a message of the feed.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchRegistryKeys, verifyWholeLog } from 'credence/client'
import { SCHEMA_VERSION } from '../../../dist/storage/mongo/schema-version.js'
import { plant } from '../mongo/planted.mjs'
import { claimsOf } from '../tools.mjs'
import { clientsOf, endTask, introspect, issue, publish, revokeToken } from './traffic.mjs'

const INDEX = "organisation: { fields: ['orgId', 'createdAt'] },"
/** [file, line of N, line of N+1]. */
export const NEXT = {
  name: 'N+1',
  edits: [
    [
      'storage/mongo/schema-version.js',
      `export const SCHEMA_VERSION = ${SCHEMA_VERSION}`,
      `export const SCHEMA_VERSION = ${SCHEMA_VERSION + 1}`,
    ],
    ['identity/agents/store.js', INDEX, "owner: { fields: ['orgId', 'parent'] }, shape: { fields: ['shape', 'createdAt'] },"],
    [
      'identity/agents/store.js',
      'introductionPolicy: IntroductionPolicy,',
      'introductionPolicy: IntroductionPolicy,\n    shape: z.string().max(32).optional(),',
    ],
    ['identity/agents/list.js', "find('organisation'", "find('owner'"],
    [
      'identity/agents/register.js',
      'introductionPolicy: input.introductionPolicy,',
      "introductionPolicy: input.introductionPolicy,\n        shape: 'round',",
    ],
    ['delegation/tasks/end.js', "type: 'task.ended'", "type: 'task.finished'"],
    [
      'delegation/tasks/end.js',
      'const ends = [endingOfTask(task)]',
      'const ends = [endingOfTask(task), { ...endingOfTask(task), handle: zoneOf(id) }]',
    ],
    [
      'delegation/tasks/end.js',
      'export async function endTask',
      "const zoneOf = (id) => 'zone:' + id.slice(4);\nexport async function endTask",
    ],
    ['trust-log/new-trust-log.js', 'const own = { id, type,', "const own = { weather: 'fine', id, type,"],
    [
      'oauth/issue.js',
      'joinDependencies(client.dependencies,',
      "joinDependencies({ handles: decision.task ? ['zone:' + decision.task.id.slice(4)] : [], expiresAt: Infinity }, client.dependencies,",
    ],
    ['oauth/issue.js', 'kid: signer.kid }, claims, signer)', "kid: signer.kid }, { ...claims, weather: 'fine' }, signer)"],
    [
      'revocations/hub.js',
      "{ type: 'events', ...fields, ended:",
      "{ type: 'weather', is: 'fine' }, { type: 'events', ...fields, weather: 'fine', ended:",
    ],
  ],
}

/** Retries while a busy machine responds with 503. */
async function withRetries(work) {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (error.status !== 503 || tries === 8) throw error
    }
  }
}

export async function upgrade({ deployment, traffic, cast, players, faults, db, say, started }) {
  const copy = await plant(NEXT)
  const dist = join(copy, 'dist')
  const must = (holds, claim) => {
    say(`${holds ? 'yes' : 'NO '} ${claim}`)
    if (!holds) faults.push(`not true: ${claim}`)
  }
  const indexes = async () => (await db.collection('agents').indexes()).map(({ name }) => name)
  const [a, b, c] = deployment.instances
  const clients = (instance) => clientsOf(traffic.history, deployment.issuer, instance, cast)
  const [old, next] = [clients(a), clients(c)]
  try {
    const before = await withRetries(() => players.agent(`before ${randomUUID()}`))
    await started(c, dist)
    const indexNames = await indexes()
    must(
      ['by_owner', 'by_shape', 'by_organisation'].every((name) => indexNames.includes(name)),
      `N+1 has created its indexes, and the index that N uses stays: ${indexNames}`,
    )

    // Each version reads what the other writes, and applies its revocations
    const world = (clients) => ({ traffic, clients, cast, issuer: deployment.issuer })
    for (const [name, writer, reader] of [
      ['N', old, next],
      ['N+1', next, old],
    ]) {
      const other = name === 'N' ? 'N+1' : 'N'
      await withRetries(() => publish(world(writer)))
      must(
        (await withRetries(() => reader.planner.card(cast.ocr.agentId))).state === 'verified',
        `a card of ${name} is verified at ${other}`,
      )
      const request = { to: cast.ocr.agentId, purpose: name, scopes: ['ocr:read'] }
      const { introductionId } = await withRetries(() => writer.planner.introductions.request(request))
      must(
        (await withRetries(() => reader.planner.introductions.get(introductionId))).state === 'granted',
        `an introduction of ${name} is granted at ${other}`,
      )
      const token = await withRetries(() => issue(traffic, writer, cast.ocr.audience))
      const isActive = await withRetries(() => introspect(traffic, reader, token))
      // The traffic may have revoked the introduction of the token
      must(isActive || token.dependsOn.some((name) => traffic.revoking.has(name)), `a token of ${name} is active at ${other}`)
      await withRetries(() => revokeToken(world(reader), token))
      must(!(await withRetries(() => introspect(traffic, writer, token))), `revoked at ${other}, the token is inactive at ${name}`)
      const task = await withRetries(() => endTask(world(writer)))
      must(!(await withRetries(() => introspect(traffic, reader, task))), `a task that ended at ${name} has ended at ${other}`)
      if (name === 'N+1')
        must(
          claimsOf(task.accessToken).standing.dependsOn.some((handle) => handle.startsWith('zone:')),
          'the token depends on a handle of a kind that only N+1 knows',
        )
    }
    await changedByOld({ must, cast, old, next, db })
    const during = await withRetries(() => players.agent(`during ${randomUUID()}`))

    // The instances of N are replaced in turn
    for (const instance of [a, b]) {
      await instance.end('SIGTERM')
      const refused = await instance.start().then(String, (error) => error.message)
      must(refused.includes('a newer release of Credence has used this deployment'), `N no longer starts: ${refused.slice(-90).trim()}`)
      await instance.end('SIGTERM')
      await started(instance, dist)
    }
    const listed = new Set((await withRetries(() => cast.admin.query('agents.list', { limit: 100 }))).items.map(({ agentId }) => agentId))
    must(
      [before, during].every(({ agentId }) => listed.has(agentId)),
      'all registered agents are listed by the new index',
    )
    const shaped = await db.collection('agents').find({ 'f.shape': 'round' }).hint('by_shape').toArray()
    must(
      shaped.some(({ text }) => JSON.parse(text).name.startsWith('of N+1')),
      'a document that N changed is found by the new field',
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
      'the log has entries of a type that only N+1 knows',
    )
    return { 'newer entries': log.filter(({ weather }) => weather !== undefined).length }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/** Changes an agent at N that N+1 registered: the fields that N does not know must stay. */
async function changedByOld({ must, cast, old, next, db }) {
  const agent = { ceiling: {}, introductionPolicy: { mode: 'open' } }
  const { agentId } = await withRetries(() => next.admin.mutate('agents.register', { ...agent, name: `of N+1 ${randomUUID()}` }))
  const fieldOf = async () => {
    const stored = await db.collection('agents').findOne({ _id: agentId })
    return JSON.parse(stored.text)
  }
  const before = await fieldOf()
  must(before.shape === 'round', 'N+1 writes a field that N does not know')
  const ceiling = { rights: [{ audience: cast.ocr.audience, scope: 'ocr:read' }] }
  await withRetries(() => old.admin.mutate('agents.change', { agentId, ceiling }))
  const changed = await fieldOf()
  must(changed.shape === 'round' && changed.ceilingVer !== before.ceilingVer, 'after a change at N the field is still there')
}
