// Concurrent callers of several instances: they publish, introduce, exchange, introspect and revoke, and record what they were told.
import { createAgent } from 'credence/client'
import { aCard } from '../../../bench/lib/cast.js'
import { claimsOf, pause } from '../tools.mjs'
import { fetchVia } from './recorder.mjs'

/** A volley revokes this many tokens of an instance one after another, at this interval: so that an append is under way at any moment. */
const VOLLEY = 30
const INTERVAL_MS = 3

/**
 * `cast`: { ocr, planner }; `dice()`: from 0 to 1; `pauseMs`: of each worker after each job. Works until `isOver()`, and resolves when all callers
 * have stopped. `volleys` gets, for each instance, a function that revokes many tokens there. It resolves when the first one is revoked: some of
 * the next ones are then in the block that is being appended.
 */
export async function runLoad({ history, deployment, cast, dice, isOver, workers = 6, pauseMs = 0, revokers = 0, volleys }) {
  const shared = { tokens: [], revoked: [], introductions: [] }
  const runWorker = async (i) => {
    // Each worker has its own clients of every instance, and sends one request at a time
    const clients = deployment.instances.map((instance) => clientsOf(history, deployment.issuer, instance, cast))
    // Mostly the same instance, so that a caller of an instance that is cut off keeps calling it
    const any = () => clients[dice() < 0.85 ? i % clients.length : Math.floor(dice() * clients.length)]
    const world = { history, shared, clients, any, dice, issuer: deployment.issuer, cast, worker: i }
    const jobs = [
      exchange,
      exchange,
      exchange,
      revokeAndIntrospect,
      revokeAndIntrospect,
      endTask,
      introspectAny,
      introspectAny,
      introduce,
      i === 0 ? publish : introspectAny,
      i < 2 ? publishRace : exchange,
      replay,
      readLog,
    ]
    for (let turn = i; !isOver(); turn++) {
      // Without an acknowledgement the outcome is unknown, and nothing is recorded
      await jobs[turn % jobs.length](world).catch(() => pause(20))
      if (pauseMs > 0) await pause(pauseMs)
    }
  }
  // Callers that repeat one thing at one instance, so that a revocation is under way whenever a fault happens
  const repeat = async (instance, work) => {
    const client = clientsOf(history, deployment.issuer, instance, cast)
    const world = { history, shared: { tokens: [] }, any: () => client, issuer: deployment.issuer, cast }
    while (!isOver()) await work(world).catch(() => pause(20))
  }
  const runVolleys = async (instance) => {
    const client = clientsOf(history, deployment.issuer, instance, cast)
    const world = { history, shared: { tokens: [] }, any: () => client, issuer: deployment.issuer, cast }
    const ready = []
    volleys.set(instance, () => Promise.any(ready.splice(0).map((token, i) => pause(i * INTERVAL_MS).then(() => revoke(world, token)))))
    while (!isOver()) {
      if (ready.length >= VOLLEY) await pause(50)
      else
        await issue(world, client).then(
          (token) => ready.push(token),
          () => pause(20),
        )
    }
  }
  await Promise.all([
    ...Array.from({ length: workers }, (_, i) => runWorker(i)),
    ...(revokers === 0 ? [] : deployment.instances).flatMap((instance) => [
      repeat(instance, (world) => readLog(world).finally(() => pause(200))),
      ...Array.from({ length: revokers }, () => repeat(instance, issueAndRevoke)),
      runVolleys(instance),
    ]),
  ])
}

function clientsOf(history, issuer, instance, { ocr, planner }) {
  const via = fetchVia(history, issuer, instance)
  const agent = ({ agentId, signer }) => createAgent({ issuer, clientId: agentId, signer, fetch: via })
  return { instance, via, ocr: agent(ocr), planner: agent(planner) }
}

async function issue({ history, shared, cast }, client, more = {}, dependsOn = []) {
  const { accessToken } = await client.planner.exchange({ audience: cast.ocr.audience, ...more })
  const { jti } = claimsOf(accessToken)
  const token = { jti, accessToken, dependsOn: [`token ${jti}`, ...dependsOn] }
  history.texts.set(jti, accessToken)
  history.issued.push({ jti, dependsOn: token.dependsOn, sentAt: client.via.sentAt, receivedAt: performance.now() })
  shared.tokens.push(token)
  if (shared.tokens.length > 50) shared.tokens.shift()
  return token
}

const exchange = (world) => issue(world, world.any())

async function introspect({ history }, client, { jti, accessToken }) {
  const { active } = await client.ocr.introspect(accessToken)
  history.introspected.push({ jti, active, sentAt: client.via.sentAt, receivedAt: performance.now() })
}

/** Introspects a valid or a revoked token. */
async function introspectAny(world) {
  const { shared, dice } = world
  const list = dice() < 0.5 ? shared.tokens : shared.revoked
  const token = list[Math.floor(dice() * list.length)]
  if (token) await introspect(world, world.any(), token)
}

/** Revokes a token at one instance, and introspects it at all of them right after the acknowledgement. */
async function revokeAndIntrospect(world) {
  const { shared, clients } = world
  const token = shared.tokens.pop()
  if (token === undefined) return
  await revoke(world, token)
  keepRevoked(shared, token)
  await Promise.allSettled(clients.map((client) => introspect(world, client, token)))
}

async function issueAndRevoke(world) {
  const token = await issue(world, world.any())
  await revoke(world, token)
}

async function revoke({ history, any }, token) {
  await any().planner.revoke(token.accessToken)
  history.revoked.push({
    name: `token ${token.jti}`,
    jti: token.jti,
    handle: token.jti.replace('tok_', 'tok:'),
    ackedAt: performance.now(),
  })
}

async function endTask(world) {
  const { history, shared, clients, any } = world
  const { taskId } = await any().planner.tasks.create({ description: 'for a while' })
  const names = [`task ${taskId}`]
  const first = await issue(world, any(), { taskId }, names)
  const endingAt = any()
  // A token is requested while the task ends. It may be issued, but depends on the task
  const [, ended] = await Promise.allSettled([
    issue(world, clients.find((client) => client !== endingAt) ?? endingAt, { taskId }, names),
    endingAt.planner.tasks.end(taskId),
  ])
  if (ended.status === 'rejected') return
  history.revoked.push({ name: names[0], ackedAt: performance.now() })
  keepRevoked(shared, first)
  await Promise.allSettled([...at.map((client) => introspect(world, client, first)), issue(world, any(), { taskId }, names)])
}

function keepRevoked(shared, token) {
  shared.revoked.push(token)
  if (shared.revoked.length > 50) shared.revoked.shift()
}

async function introduce(world) {
  const { history, shared, any, cast } = world
  const { introductionId } = await any().planner.introductions.request({ to: cast.ocr.agentId, purpose: 'more', scopes: ['ocr:read'] })
  history.granted.push(`introduction ${introductionId}`)
  shared.introductions.push(introductionId)
  if (shared.introductions.length < 6) return
  const id = shared.introductions.shift()
  // From here on it may be revoked, acknowledged or not
  history.granted.splice(history.granted.indexOf(`introduction ${id}`), 1)
  await any().planner.introductions.revoke(id)
  history.revoked.push({ name: `introduction ${id}`, ackedAt: performance.now() })
}

async function publish({ history, any, issuer, dice }) {
  const text = `Reads, ${dice()}.`
  const { version } = await any().ocr.publish({ card: { ...aCard(issuer), description: text } })
  history.published.push({ version, text })
}

/** Publishes two different cards as the same version at two instances. */
async function publishRace({ history, clients, issuer, dice }) {
  const cards = clients.slice(0, 2).map(() => ({ ...aCard(issuer), description: `Reads, ${dice()}.`, skills: skillsWithHidden }))
  const done = await Promise.allSettled(clients.slice(0, 2).map(({ ocr }, i) => ocr.publish({ card: cards[i], hide: ['/skills/1'] })))
  for (const [i, { status, value }] of done.entries())
    if (status === 'fulfilled') history.published.push({ version: value.version, text: cards[i].description })
}

const skill = (id) => ({ id, name: id, description: 'Text of one scanned page.', tags: ['ocr', 'scan'] })
const skillsWithHidden = [skill('read-page'), skill('read-passport')]

/** Sends the same token request, with the same assertion and proof, to all instances concurrently. */
async function replay({ history, clients, any, issuer, cast }) {
  const { via } = any()
  let recorded
  const sendToAll = async (input, init) => {
    if (!String(input).endsWith('/oauth/token')) return via(input, init)
    if (recorded === undefined || recorded.wasSent) {
      // The first request gets a nonce. The second one, with the nonce, is sent to all instances
      const isFirst = recorded === undefined
      recorded = {
        input,
        init: { ...init, headers: { ...init.headers, 'content-type': 'application/x-www-form-urlencoded' }, body: String(init.body) },
        wasSent: isFirst,
      }
      if (isFirst) return via(input, recorded.init)
    }
    const responses = await Promise.allSettled(
      clients.map((client) => fetchVia(history, issuer, client.instance)(recorded.input, recorded.init)),
    )
    history.races.push({
      what: 'one assertion',
      winners: responses.filter(({ status, value }) => status === 'fulfilled' && value.ok).length,
    })
    throw new Error('stops the client')
  }
  const { agentId, signer } = cast.planner
  await createAgent({ issuer, clientId: agentId, signer, fetch: sendToAll }).token()
}

/** Records the newest entries that an instance serves. */
async function readLog({ history, any, issuer }) {
  const { via, instance } = any()
  const from = history.logReads.at(-1)?.entries.at(-1)?.seq ?? 0
  const response = await via(`${issuer}/log/entries?from=${Math.max(0, from - 50)}&limit=200`)
  if (!response.ok) return
  const { entries } = await response.json()
  history.logReads.push({ instance: instance.name, entries: entries.map(({ seq, id }) => ({ seq, id })) })
}
